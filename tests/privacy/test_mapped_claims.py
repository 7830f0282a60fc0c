"""With a map and pseudonyms, only the claim of a document is kept: a map may read any name."""

import json
from typing import Any

import pytest

from pipeline.claims.formats.table import FORMATS
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message, Part, StructureOnly
from pipeline.claims.stages import Map, ParseDocuments, through
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.stages import PseudonymousDocuments, PseudonymousMap, PseudonymousValidate
from tests.privacy.test_pseudonyms import OURS
from tests.support.claims.core import CONTRACT, VALIDATE

MAP = ClaimMap("""
    $map($type(who) = "array" ? who : [who], function($who) {
        $who = "" ? $error("none") : {"claim_id": $who, "patient_id": $who, "more": {"a": 1.5}}
    })
""")
NAMED = NamedFields(CONTRACT, ("patient_id", "claim_id"), OURS)
STAGES = (
    PseudonymousDocuments(ParseDocuments(FORMATS["JSON"].decode), NAMED),
    PseudonymousMap(Map(MAP, CONTRACT), NAMED, MAP.version),
    PseudonymousValidate(VALIDATE, NAMED),
)
REPLAYED = {"replay_count": "1", "original_message_id": "7"}
PART = {"claim_index": "1", "claims_in_message": "3"}


@pytest.mark.parametrize(
    "attributes", [{}, REPLAYED, REPLAYED | PART], ids=["new", "whole", "part"]
)
@pytest.mark.parametrize("who", ["CANARY", ["CANARY", "CANARY 2"], ["CANARY"], "", ["CANARY", ""]])
def test_nothing_of_the_document_is_kept(who: Any, attributes: dict[str, str]):
    """The replay of one document among several went to the error table as it came."""
    data = json.dumps({"who": who, "name": "CANARY"}).encode()
    decided = through(STAGES, [Message(data, "8", None, attributes)])
    assert decided.rejected and not decided.messages
    for message, rejection in decided.rejected:
        assert "CANARY" not in f"{message} {rejection}"


def test_the_claim_of_a_replayed_document_is_not_mapped_again():
    document = Message(b'{"who": "A"}', "8", None, REPLAYED | PART)
    [(message, _)] = through(STAGES, [document]).rejected
    assert message.part == Part(1, 3, MAP.version)
    assert json.loads(message.data)["patient_id"] == OURS.of("patient_id", "A")


@pytest.mark.parametrize("levels", [250, 254, 300, 900])
@pytest.mark.parametrize("attributes", [{}, REPLAYED])
def test_a_claim_nested_too_deep_to_be_written_is_kept_as_structure(
    levels: int, attributes: dict[str, str]
):
    """It raised behind the map, and the document went to the error table as it came."""
    passes_on = ClaimMap("$merge([$, {'patient_id': who}])")
    mapping = PseudonymousMap(Map(passes_on, CONTRACT), NAMED, passes_on.version)
    data = b'{"who": "CANARY", "deep": %b1%b}' % (b"[" * levels, b"]" * levels)
    decided = through([STAGES[0], mapping], [Message(data, "8", None, attributes)])
    [message] = decided.messages
    assert isinstance(message, StructureOnly) == (levels > 253)
    assert not decided.rejected
    if levels > 253:
        assert "CANARY" not in str(message)

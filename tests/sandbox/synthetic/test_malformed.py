"""Every kind of bad message meets the outcome that the table states; every variant is accepted."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any

import orjson
import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.formats.json_documents import ERRORS
from pipeline.claims.rejection import Rejection
from sandbox.synthetic.malformed import Malformed, kinds
from sandbox.synthetic.samples import messages
from sandbox.synthetic.spellings import VARIANTS, WIRE_VARIANTS
from sandbox.synthetic.synthetic import claims
from tests.support.claims.core import VALIDATE, fields_of, outcome_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CONTRACT = Contract.default()
KINDS = kinds(CONTRACT)
CLAIMS = list(islice(claims(11, NOW), 40))
# Keywords of the contract that ask nothing of a value.
ANNOTATIONS = {"description", "examples", "title", "default", "deprecated"}


def judge(data: bytes) -> dict[str, Any] | Rejection:
    fields = fields_of(data)
    return fields if isinstance(fields, Rejection) else outcome_of(VALIDATE, fields)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_bad_message_is_rejected_as_stated(kind: Malformed) -> None:
    rng = Random(1)
    for claim in CLAIMS:
        before = deepcopy(claim)
        data = kind.make(claim, rng)
        assert claim == before
        assert b"\n" not in data
        verdict = judge(data)
        assert isinstance(verdict, Rejection)
        assert (verdict.stage, verdict.error_code) == (kind.stage, kind.error_code)
        if kind.field:
            found = {(violation.field, violation.rule) for violation in verdict.violations}
            assert found == {(kind.field, kind.rule)} or kind.rule in ("type", "enum")
            assert (kind.field, kind.rule) in found


def test_every_error_code_of_the_parse_step_has_a_kind() -> None:
    codes = {kind.error_code for kind in KINDS.values() if kind.stage == "parse"}
    assert codes == set(ERRORS) - {"message_too_large"}  # Pub/Sub would take none of those


def rules_of(properties: dict[str, Any]) -> set[tuple[str, str]]:
    """Path and keyword of all that properties ask."""
    stated = set()
    for name, schema in properties.items():
        for keyword in schema.keys() - ANNOTATIONS:
            item = "[0]" if name in CONTRACT.records else "[]"
            if not keyword.startswith("x-"):
                stated.add((f"{name}{item}", "type") if keyword == "items" else (name, keyword))
    return stated


def test_every_rule_of_the_contract_has_a_kind() -> None:
    stated = {(name, "required") for name in CONTRACT.document["required"]}
    stated |= rules_of(CONTRACT.properties)
    for name, fields in CONTRACT.records.items():
        stated |= {(f"{name}[0].{path}", rule) for path, rule in rules_of(fields.properties)}
    assert stated <= {(kind.field, kind.rule) for kind in KINDS.values()}


def test_new_field_of_the_contract_brings_its_kinds() -> None:
    document = deepcopy(CONTRACT.document)
    document["properties"]["units"] = {"type": "integer", "minimum": 1, "enum": [1, 2, 3]}
    document["properties"]["network"] = {"type": ["string", "null"], "enum": ["IN", "OUT", None]}
    document["required"].append("units")
    new = kinds(Contract(json.dumps(document))).keys() - KINDS.keys()
    assert new >= {"missing_units", "null_units", "wrong_type_units", "below_units"}
    assert new >= {"wrong_type_network", "unlisted_network"}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_variant_is_accepted(variant: Callable[..., dict[str, Any]]) -> None:
    rng = Random(1)
    for claim in islice(claims(12, NOW, variants=0.0), 200):
        before = deepcopy(claim)
        verdict = judge(orjson.dumps(variant(claim, rng)))
        assert not isinstance(verdict, Rejection)
        assert claim == before


@pytest.mark.parametrize("variant", WIRE_VARIANTS.values(), ids=WIRE_VARIANTS.keys())
def test_wire_variant_is_the_same_claim(variant: Callable[[dict[str, Any]], bytes]) -> None:
    for claim in CLAIMS:
        assert judge(variant(claim)) == judge(orjson.dumps(claim))
        assert variant(claim) != orjson.dumps(claim) or not claim.get("notes")


def test_generated_messages_meet_their_outcome() -> None:
    for sample in messages(3000, 0.1, 5, NOW, variants=0.5):
        rejected = isinstance(judge(sample.data), Rejection)
        assert rejected == (sample.expected == "rejected"), sample.kind

"""Each claim beside the message that it came in; of several in one message, each alone."""

import json
from typing import Any

from claims_ops.replay.message import Replay, replay_of
from pipeline.claims import history as replay
from pipeline.claims.contract import Contract
from pipeline.claims.error_row import raw_columns
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.mapping.mapper import Documents, Mapper
from pipeline.claims.message import Message, Part
from pipeline.claims.rejection import Rejection

MAP = ClaimMap("many ? many.{'claim_id': id} : skip ? [] : id ? {'claim_id': id}")
BLANK = {"service_date": None, "submission_date": None}


def apply(*documents: Any, **attributes: str) -> tuple[list[Message], list[Any], Mapper]:
    mapper = Mapper(MAP, Contract.default())
    messages = [
        Message(json.dumps(document, default=str).encode(), str(place), None, attributes)
        for place, document in enumerate(documents)
    ]
    own, outcomes = mapper.apply(messages, documents)
    return list(own), list(outcomes), mapper


def test_one_claim_keeps_its_message() -> None:
    own, outcomes, _ = apply({"id": "A"}, {"id": "B"})
    assert [(message.data, message.part) for message in own] == [
        (b'{"id": "A"}', None),
        (b'{"id": "B"}', None),
    ]
    assert outcomes == [{"claim_id": "A", **BLANK}, {"claim_id": "B", **BLANK}]


def test_several_claims_come_alone_and_in_order() -> None:
    own, outcomes, mapper = apply(
        {"id": "A"}, {"many": [{"id": "B"}, {"id": "C"}]}, {"skip": 1}, {}
    )
    assert [
        outcome[0] if type(outcome) is Rejection else outcome["claim_id"] for outcome in outcomes
    ]
    assert [(message.message_id, message.part) for message in own] == [
        ("0", None),
        ("1", Part(0, 2, MAP.version)),
        ("1", Part(1, 2, MAP.version)),
        ("3", None),
    ]
    assert [json.loads(message.data) for message in own[1:3]] == outcomes[1:3]
    assert outcomes[3].error_code == "no_claim"
    assert mapper.skipped == 1


def test_documents_of_one_message() -> None:
    documents = Documents([b'{"id":"A"}', b"{}", b'{"skip":1}', b'{"id":"B"}'])
    own, outcomes, _ = apply(documents)
    assert [message.part for message in own] == [
        Part(0, 3, MAP.version),
        Part(1, 3, None),  # its document, for a map that can read it
        Part(2, 3, MAP.version),
    ]
    assert own[1].data == b"{}"
    assert [type(outcome) for outcome in outcomes] == [dict, Rejection, dict]


def test_replay_of_a_claim_is_not_mapped() -> None:
    history = {
        replay.REPLAY_COUNT: "1",
        replay.ORIGINAL_MESSAGE_ID: "7",
        replay.CLAIM_INDEX: "1",
        replay.CLAIMS_IN_MESSAGE: "2",
    }
    claim = {"claim_id": "C", **BLANK, "id": "not again"}
    own, outcomes, _ = apply(claim, **history, **{replay.MAP_VERSION: "abc"})
    assert outcomes == [claim]
    assert replay.part_of(own[0]) == Part(1, 2, "abc")
    _, outcomes, _ = apply(claim, **history)
    assert outcomes == [{"claim_id": "not again", **BLANK}]


def test_replay_of_a_document_that_holds_several_claims() -> None:
    """No claim of a message gets the place of another one: `claims_deduplicated` would hide it."""
    many = [{"many": [{"id": f"{name}{number}"} for number in range(3)]} for name in "ABC"]
    own, _, _ = apply(Documents([json.dumps(many[0]).encode(), b"{}", b"{}"]))
    found = [message.part for message in own]
    assert found == [
        *(Part(place, 5, MAP.version) for place in range(3)),
        Part(3, 5, None),
        Part(4, 5, None),
    ]
    for document, rejected in zip(many[1:], own[3:], strict=True):
        row = {"message_id": "0", "replay_count": 0, "stage": "map", "error_code": "no_claim"}
        row |= raw_columns(rejected.data) | {"raw_size": len(rejected.data)}
        again = replay_of(row | (rejected.part or Part(None, None))._asdict())
        assert isinstance(again, Replay)
        own_again, _, _ = apply(document, **again.attributes)
        found += [message.part for message in own_again]
        assert all(message.part == replay.part_of(message) for message in own_again)
    assert [part.claim_index for part in found[5:] if part] == [3, 8, 13, 4, 9, 14]
    assert {part.claims_in_message for part in found[5:] if part} == {7}


def test_only_a_replay_is_believed() -> None:
    forged = {replay.CLAIM_INDEX: "1", replay.CLAIMS_IN_MESSAGE: "2", replay.MAP_VERSION: "abc"}
    own, outcomes, _ = apply({"id": "A"}, **forged)
    assert outcomes == [{"claim_id": "A", **BLANK}]
    assert replay.part_of(own[0]) is None
    history = {replay.REPLAY_COUNT: "1", replay.ORIGINAL_MESSAGE_ID: "7"}
    for index in ("-1", "x", ""):
        own, _, _ = apply({"id": "A"}, **history, **{**forged, replay.CLAIM_INDEX: index})
        assert replay.part_of(own[0]) is None


def test_replay_of_a_document_that_holds_one_claim() -> None:
    """Its row said that it holds a claim, and held the document: another replay was not mapped."""
    history = {replay.REPLAY_COUNT: "1", replay.ORIGINAL_MESSAGE_ID: "7"}
    history |= {replay.CLAIM_INDEX: "1", replay.CLAIMS_IN_MESSAGE: "2"}
    for document in ({"id": "A"}, Documents([b'{"id":"A"}'])):
        mapper = Mapper(MAP, Contract.default())
        [message], [claim] = mapper.apply([Message(b"document", "8", None, history)], [document])
        assert message.part == Part(1, 2, MAP.version)
        assert json.loads(message.data) == claim == {"claim_id": "A", **BLANK}


def test_one_of_several_claims_may_be_nested_deep() -> None:
    """It raised, and the whole message was rejected with it."""
    mapper = Mapper(ClaimMap("items"), Contract.default())
    deep = json.loads("[" * 300 + "]" * 300)
    messages, claims = mapper.apply([Message(b"{}")], [{"items": [{"a": 1}, {"a": deep}]}])
    assert [claim["a"] for claim in claims] == [1, deep]
    assert [json.loads(message.data) for message in messages] == list(claims)

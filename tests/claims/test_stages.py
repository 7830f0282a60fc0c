"""The front door: what goes on, what is rejected, and what a surprise or a mapping stage does."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.stages import Decided, Stage, decide, through
from tests.support.claims.core import CLEAN, ENRICH, PARSE, VALIDATE


def message(**changes: Any) -> Message:
    return Message(json.dumps(CLEAN | changes).encode())


GOOD, BAD = message(claim_id="1"), message(claim_id="2", patient_age=151)


def test_messages_go_on_or_are_rejected_in_their_order() -> None:
    broken, last = Message(b"{"), message(claim_id="3")
    decided = through([PARSE, VALIDATE, ENRICH], [GOOD, BAD, broken, last])
    assert [row["claim_id"] for row in decided.outcomes] == ["1", "3"]
    assert list(decided.messages) == [GOOD, last]
    assert [(each, why.stage) for each, why in decided.rejected] == [
        (broken, "parse"),
        (BAD, "validate"),
    ]


def test_nothing_goes_through_all_stages() -> None:
    assert through([PARSE, VALIDATE, ENRICH], []) == ([], [], [])
    assert [why.stage for _, why in through([PARSE, VALIDATE, ENRICH], [BAD]).rejected] == [
        "validate"
    ]


class _Copies(Stage):
    """Gives a message as often as its claim says, as a stage that maps documents may do."""

    name = "map"

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        copies = [
            (message, fields | {"claim_id": f"{fields['claim_id']}-{number}"})
            for message, fields in zip(messages, subjects, strict=True)
            for number in range(fields["copies"])
        ]
        return Decided([each for each, _ in copies], [fields for _, fields in copies])


def test_a_stage_may_give_several_claims_for_a_message_or_none() -> None:
    none, two = message(claim_id="0", copies=0), message(claim_id="2", copies=2)
    decided = through([PARSE, _Copies(), VALIDATE, ENRICH], [none, two])
    assert [row["claim_id"] for row in decided.outcomes] == ["2-0", "2-1"]
    assert decided.messages == [two, two]


def test_a_surprise_is_the_rejection_of_its_message_alone() -> None:
    secret = Message(b'{"claim_id": "Canary-1"}')  # it has no `copies`
    two = message(claim_id="2", copies=2)
    subjects = [json.loads(each.data) for each in (two, secret)]
    decided = decide(_Copies(), [two, secret], subjects)
    assert decided.messages == [two, two]
    [(found, rejection)] = decided.rejected
    assert found is secret
    assert rejection[:3] == ("map", "internal_error", "unexpected KeyError in this step")


@pytest.mark.parametrize("changes", [{}, {"diagnosis_codes": ["J45.909"] * 1_001}])
def test_a_rejected_claim_is_judged_once(changes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch asks whether all is well; what is wrong is found out once, after normalisation."""
    calls = []
    for name in ("accept", "violations"):
        original = getattr(Contract, name)
        monkeypatch.setattr(
            Contract, name, lambda *given, o=original, n=name: calls.append(n) or o(*given)
        )
    subjects = [json.loads(each.data) | changes for each in (GOOD, BAD)]
    assert VALIDATE.decide([GOOD, BAD], subjects).rejected
    assert calls.count("accept") == 1
    assert calls.count("violations") == 1

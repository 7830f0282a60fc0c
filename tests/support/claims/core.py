"""The stages with their default documents."""

import base64
import json
from typing import Any

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Beginning, Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.rules import Rules
from pipeline.claims.stages import Enrich, Parse, Stage, Validate, through
from tests.support.claims.case_files import Case, clean_claim, text_of

CONTRACT = Contract.default()
RULES = Rules.default()
NOW = "2026-11-23T00:00:00Z"
CLEAN = clean_claim()


def clock() -> str:
    return NOW


PARSE, VALIDATE = Parse(CONTRACT), Validate(CONTRACT)
ENRICH = Enrich(ClaimRows(CONTRACT, Unchanging(RULES), 0.5, "test"), clock)


def outcome_of(stage: Stage, subject: Any, data: bytes = b"") -> Any:
    """What a stage decides on one message, or its rejection; a surprise is raised."""
    decided = stage.decide([Message(data)], [subject])
    [outcome] = [*decided.outcomes, *(rejection for _, rejection in decided.rejected)]
    return outcome


def fields_of(data: bytes) -> dict[str, Any] | Rejection:
    """What the parse step makes of a message."""
    return outcome_of(PARSE, Message(data))


def outcome(data: bytes) -> dict[str, Any] | Rejection:
    """The claim row of a message, or its rejection."""
    decided = through([PARSE, VALIDATE, ENRICH], [Message(data)])
    [outcome] = [*decided.outcomes, *(rejection for _, rejection in decided.rejected)]
    if isinstance(outcome, Rejection):
        assert outcome.error_code != "internal_error", outcome.error
    return outcome


def accepted(data: bytes) -> dict[str, Any]:
    """The claim row of a message that must not be rejected."""
    row = outcome(data)
    assert not isinstance(row, Rejection), row
    return row


def rejected(data: bytes) -> Rejection:
    """The rejection of a message that must not be accepted."""
    rejection = outcome(data)
    assert isinstance(rejection, Rejection)
    return rejection


def row_of(**changes: Any) -> dict[str, Any]:
    """The row of the clean claim with changes."""
    return accepted(json.dumps(CLEAN | changes).encode())


def with_literal(field: str, literal: str | None, claim: dict[str, Any] = CLEAN) -> bytes:
    """The claim with a field whose value is this very text, JSON or not; without it for None."""
    rest = json.dumps({name: value for name, value in claim.items() if name != field})
    return (rest if literal is None else f'{{"{field}": {literal}, {rest[1:]}').encode()


def message_of(case: Case) -> bytes:
    """The message that a case of `decode` spells out."""
    if "base64" in case:
        data = base64.b64decode(case["base64"], validate=True)
    else:
        data = (case["message"] if "message" in case else text_of(case)).encode()
    return Beginning(data, case["whole_size"]) if "whole_size" in case else data


def violation_of(field: str, rule: str) -> tuple[str, str]:
    """`[].type` of a field as the path and the rule of a violation."""
    items, _, keyword = rule.rpartition(".")
    return f"{field}{items}", keyword

"""Arrays in an operator's schema: their dates and times are spelt and judged as single ones."""

import json
from typing import Any

import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.documents import check_contract
from pipeline.claims.rejection import Rejection
from pipeline.claims.stages import Validate
from tests.support.claims.core import CLEAN, CONTRACT, outcome_of

FORMATS = {"visits": "date-time", "admissions": "date"}


def contract() -> Contract:
    arrays = {
        name: {"type": ["array", "null"], "items": {"type": "string", "format": told}}
        for name, told in FORMATS.items()
    }
    properties = {**CONTRACT.properties, **arrays}
    return check_contract(json.dumps({**CONTRACT.document, "properties": properties}))


VALIDATE = Validate(contract())


@pytest.mark.parametrize(
    ("field", "item", "becomes"),
    [
        ("visits", "2026-01-01T10:00:00.5Z", "2026-01-01T10:00:00.5Z"),
        ("visits", "2026-01-01t10:00:00z", "2026-01-01T10:00:00Z"),
        ("visits", f"2026-01-01T10:00:00.{'1' * 100_000}Z", "2026-01-01T10:00:00.111111Z"),
        ("visits", "0000-01-01T10:00:00Z", None),
        ("visits", "2026-06-30T23:59:60Z", None),
        ("visits", "", None),
        ("admissions", "2026-01-01", "2026-01-01"),
        ("admissions", "2026-01-01T10:00:00Z", "2026-01-01"),
        ("admissions", "0000-01-01", None),
        ("admissions", "2026-0*-02", None),
    ],
    ids=lambda value: value[:30] if value else None,
)
def test_item(field: str, item: Any, becomes: str | None) -> None:
    outcome = outcome_of(VALIDATE, CLEAN | {field: [item]})
    if becomes is not None:
        assert not isinstance(outcome, Rejection)
        assert outcome[field] == [becomes]
        return
    assert isinstance(outcome, Rejection)
    text = f"not a valid {FORMATS[field]}"
    assert set(outcome.violations) == {(f"{field}[]", "format", text)}

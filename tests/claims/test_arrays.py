"""Arrays in an operator's schema: dates, times and numbers are spelt and judged as single ones."""

import json
from typing import Any

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract
from pipeline.claims.documents import check_contract
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.stages import Enrich, Parse, Validate, through
from tests.support.claims.core import CLEAN, CONTRACT, NOW, RULES, outcome_of

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


NUMBERS = {
    "amounts": {"type": "number", "x-bigquery": {"type": "NUMERIC"}},
    "rates": {"type": "number", "x-bigquery": {"type": "BIGNUMERIC"}},
    "counts": {"type": "integer"},
}


@pytest.mark.parametrize("is_in_record", [False, True])
@pytest.mark.parametrize(
    ("field", "item", "becomes"),
    [
        ("amounts", "12345678901234567.1", "12345678901234567.1"),
        ("amounts", "1.50", "1.5"),
        ("amounts", "0.1234567891", "scale"),
        ("amounts", "0.12345678901234567890", "scale"),
        ("amounts", "1e-400", "scale"),
        ("amounts", "123456789012345678901234567890", "precision"),
        ("rates", "0.12345678901234567890123", "0.12345678901234567890123"),
        ("rates", "123456789012345678901234567890", "123456789012345678901234567890"),
        ("counts", "9007199254740993.0", 9007199254740993),
    ],
)
def test_digits_of_numbers(field: str, item: str, becomes: Any, *, is_in_record: bool) -> None:
    """A double had rounded them, and streaming inserts ended with a `Decimal` in a record."""
    arrays = {name: {"type": "array", "items": schema} for name, schema in NUMBERS.items()}
    properties = dict(CONTRACT.properties) | arrays
    properties["parts"] = {
        "type": "array",
        "items": {"type": "object", "x-bigquery": {"type": "RECORD"}, "properties": arrays},
    }
    wide = check_contract(json.dumps({**CONTRACT.document, "properties": properties}))
    text = f'"{field}": [{item}]'
    text = f'"parts": [{{{text}}}]' if is_in_record else text
    data = json.dumps(CLEAN).encode()[:-1] + f", {text}}}".encode()
    rows = ClaimRows(wide, Unchanging(RULES), 0.5, "test")
    stages = [Parse(wide), Validate(wide), Enrich(rows, lambda: NOW)]
    decided = through(stages, [Message(data)])
    if becomes in ("scale", "precision"):
        [(_, rejection)] = decided.rejected
        [violation] = rejection.violations
        place = f"parts[0].{field}[]" if is_in_record else f"{field}[]"
        assert violation[:2] == (place, becomes)
        return
    [row] = decided.outcomes
    row = row["parts"][0] if is_in_record else row
    json.dumps(row[field])
    assert row[field] == [becomes]


def test_what_is_wrong_beyond_the_items_that_are_looked_at() -> None:
    """And nothing is wrong that only the first of them would violate."""
    counts = {"type": "array", "items": {"type": "integer"}, "minItems": 300}
    properties = {**CONTRACT.properties, "counts": counts, "other": {"type": "integer"}}
    validate = Validate(check_contract(json.dumps({**CONTRACT.document, "properties": properties})))
    for claim, violated in (
        ({"counts": [*range(400), "x"]}, [("counts[]", "type")]),
        ({"counts": [*range(200)]}, [("counts", "minItems")]),
        ({"counts": [*range(400)], "other": "x"}, [("other", "type")]),
        ({"counts": [1]}, [("counts", "minItems")]),
        ({"counts": [*range(400)]}, []),
    ):
        outcome = outcome_of(validate, CLEAN | claim)
        found = outcome.violations if isinstance(outcome, Rejection) else ()
        assert [each[:2] for each in found] == violated


@pytest.mark.parametrize(
    "keywords",
    [
        {"anyOf": [{"maxItems": 3}, {"minItems": 300}]},
        {"oneOf": [{"maxItems": 350}, {"minItems": 300, "maxItems": 450}]},
        {"not": {"maxItems": 350}},
        {"const": [*range(400)]},
        {"enum": [[*range(400)], []]},
        {"if": {"maxItems": 350}, "then": {"items": {"maximum": -1}}},
        {"if": {"minItems": 350}, "else": False},
    ],
    ids=lambda keywords: next(iter(keywords)),
)
def test_what_is_wrong_only_with_the_items_that_are_looked_at(keywords: dict[str, Any]) -> None:
    counts = {"type": "array", "items": {"type": "integer"}, **keywords}
    properties = {**CONTRACT.properties, "counts": counts, "other": {"type": "integer"}}
    validate = Validate(check_contract(json.dumps({**CONTRACT.document, "properties": properties})))
    outcome = outcome_of(validate, CLEAN | {"counts": [*range(400)], "other": "x"})
    assert [each[:2] for each in outcome.violations] == [("other", "type")]

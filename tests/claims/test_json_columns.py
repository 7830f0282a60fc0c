"""Fields of an operator's schema that hold objects: their columns hold JSON text."""

import json
from decimal import Decimal
from typing import Any

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.documents import check_contract, check_rules
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.stages import Enrich, Validate
from pipeline.claims.storable import MAX_JSON_LEVELS
from pipeline.claims.tables import claims_table
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from tests.support.claims.core import CLEAN, CONTRACT, RULES, accepted, clock, outcome_of

SERVICE_LINES = {
    "plan": {"description": "Plan.", "type": ["object", "null"]},
    "lines": {
        "description": "Service lines.",
        "type": ["array", "null"],
        "items": {"type": "object"},
    },
}
OWN = check_contract(
    json.dumps({**CONTRACT.document, "properties": {**CONTRACT.properties, **SERVICE_LINES}})
)
OWN_VALIDATE, OWN_ENRICH = (
    Validate(OWN),
    Enrich(ClaimRows(OWN, Unchanging(RULES), 0.5, "test"), clock),
)
ENCODER = RowEncoder(claims_table(OWN).columns)


def row_of(**fields: Any) -> dict[str, Any] | Rejection:
    claim = outcome_of(OWN_VALIDATE, CLEAN | fields)
    if isinstance(claim, Rejection):
        return claim
    row = outcome_of(OWN_ENRICH, claim)
    [data] = ENCODER.encode([row])
    assert isinstance(data, bytes), data
    return row


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("fields", "plan", "lines"),
    [
        ({}, None, []),
        ({"plan": None, "lines": None}, None, []),
        ({"plan": {"id": 1}, "lines": [{"amount": 0.5}, {}]}, {"id": 1}, [{"amount": 0.5}, {}]),
        ({"plan": {"\u20ac": "\0"}, "lines": []}, {"\u20ac": "\0"}, []),
        ({"plan": nested(254)}, nested(254), []),
        ({"plan": nested(255)}, nested(255), []),
        ({"plan": nested(MAX_JSON_LEVELS)}, nested(MAX_JSON_LEVELS), []),
        ({"lines": [nested(MAX_JSON_LEVELS)]}, None, [nested(MAX_JSON_LEVELS)]),
    ],
)
def test_objects_become_json_text(fields: dict[str, Any], plan: Any, lines: Any) -> None:
    row = row_of(**fields)
    assert isinstance(row, dict)
    assert (row["plan"] and json.loads(row["plan"])) == plan
    assert [json.loads(line) for line in row["lines"]] == lines


@pytest.mark.parametrize(
    "fields", [{"plan": nested(MAX_JSON_LEVELS + 1)}, {"lines": [{}, nested(MAX_JSON_LEVELS + 1)]}]
)
def test_objects_that_no_column_takes_are_rejected(fields: dict[str, Any]) -> None:
    verdict = row_of(**fields)
    assert isinstance(verdict, Rejection)
    assert (verdict.stage, verdict.error_code) == ("validate", "nesting_too_deep")


@pytest.mark.parametrize("fields", [{"plan": []}, {"plan": "{}"}, {"lines": [1]}, {"lines": {}}])
def test_what_is_no_object_is_rejected(fields: dict[str, Any]) -> None:
    verdict = row_of(**fields)
    assert isinstance(verdict, Rejection)
    assert verdict.error_code == "schema_violation"


@pytest.mark.parametrize(
    "number, kept, is_text",
    [
        ("-80241446968629135069", "-80241446968629135069", True),
        ("0.123456789012345678901234", "0.123456789012345678901234", True),
        ("18446744073709551615", 18446744073709551615, False),
        ("-9223372036854775808", -9223372036854775808, False),
        ("18446744073709551616.0", "18446744073709551616.0", True),
        ("20000000000000000000", 2e19, False),
        ("1.5", 1.5, False),
    ],
)
@pytest.mark.parametrize("place", ["%s", "[%s]", '{"a": [%s]}'])
def test_unknown_fields_keep_every_digit(number: str, kept: Any, is_text: bool, place: str):
    """As a number where a JSON column holds it, else as text, which the row says."""
    data = json.dumps(CLEAN)[:-1] + f', "u": {place % number}}}'
    row = accepted(data.encode())
    assert json.loads(row["additional_fields"])["u"] == json.loads(place % json.dumps(kept))
    assert ("number_as_text" in row["quality_issues"]) == is_text
    [encoded] = RowEncoder(claims_table(CONTRACT).columns).encode([row])
    assert isinstance(encoded, bytes), encoded


@pytest.mark.parametrize("field", ["plan", "lines"])
def test_objects_of_the_schema_keep_every_digit(field: str):
    given = {"v": Decimal("0.1234567890123456789")}
    row = row_of(**{field: given if field == "plan" else [{}, given]})
    assert isinstance(row, dict)
    text = row["plan"] if field == "plan" else row["lines"][1]
    assert json.loads(text) == {"v": "0.1234567890123456789"}
    assert list(row["quality_issues"]).count("number_as_text") == 1


def test_a_claim_with_digits_in_several_columns_has_one_issue() -> None:
    given = {"v": Decimal("0.1234567890123456789")}
    row = row_of(plan=given, lines=[given], unknown=given)
    assert isinstance(row, dict)
    assert list(row["quality_issues"]).count("number_as_text") == 1


@pytest.mark.parametrize("field", ["plan", "lines"])
@pytest.mark.parametrize("order", [1, -1])
def test_one_and_true_in_objects_of_a_batch_are_told_apart(field: str, order: int) -> None:
    """To Python they are equal, to JSON Schema not: no claim is judged by its neighbour's."""
    object_schema = {"properties": {"a": {"const": True}}, "required": ["a"]}
    schema = object_schema if field == "plan" else {"contains": object_schema}
    condition = {"properties": {field: schema}}
    rule = {"id": "approved", "description": "", "when": condition}
    rules = check_rules(json.dumps({"risk_rules": [], "quality_rules": [rule]}), OWN)
    enrich = Enrich(ClaimRows(OWN, Unchanging(rules), 0.5, "test"), clock)
    objects = [{"a": 1}, {"a": True}][::order]
    claims = [
        outcome_of(OWN_VALIDATE, CLEAN | {field: each if field == "plan" else [each]})
        for each in objects
    ]
    rows = enrich.decide([Message(b"")] * 2, claims).outcomes
    assert [list(row["quality_issues"]) for row in rows] == [[], ["approved"]][::order]

"""`jsonschema-rs`, which decides, against `jsonschema`, the reference: the same verdicts.

Both get the same schema, in which the patterns of storable dates stand. What they may differ in:

- year 0, leap seconds and a sign: one takes them for a date and the other does not; the pattern
  of storable dates refuses them in both, so that `format` and `pattern` count as one rule;
- numbers beyond a double: the reference knows no `Decimal`, so that it gets the nearest double;
- a text that ends in a line end: `$` matches before it in Python, and only at the very end in
  ECMA 262, which JSON Schema asks for. `jsonschema-rs` is right, and the reference is not asked.
"""

import json
from decimal import Decimal
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given

from pipeline.claims.normalise import normaliser
from pipeline.claims.rejection import Rejection
from pipeline.claims.rules import condition_of
from tests.support.claims.case_files import Case, identity, load_folder
from tests.support.claims.core import (
    CLEAN,
    CONTRACT,
    RULES,
    VALIDATE,
    fields_of,
    outcome_of,
    with_literal,
)
from tests.support.claims.facts import facts_of
from tests.support.claims.strategies import BUDGET, claims

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER
REFERENCE = jsonschema.Draft202012Validator(CONTRACT.canonical_document, format_checker=FORMATS)
DECIDES = jsonschema_rs.Draft202012Validator(
    CONTRACT.canonical_document, validate_formats=True, offline=True
)
NORMALISE = normaliser(CONTRACT)
FIELD_CASES = [(field, case) for field, cases in load_folder("fields").items() for case in cases]


def comparable(value: Any) -> Any:
    """The value as the reference can judge it."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def rule_of(keyword: str) -> str:
    return "format" if keyword == "pattern" else keyword


def ends_in_line_end(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, str) and item.endswith("\n") for item in items)


def assert_same_verdict(fields: dict[str, Any]) -> None:
    for claim in (comparable(fields), comparable(NORMALISE(fields))):
        if any(map(ends_in_line_end, claim.values())):
            continue
        broken = {(rule_of(e.validator), *e.absolute_path) for e in REFERENCE.iter_errors(claim)}
        found = {(rule_of(e.kind.name), *e.instance_path) for e in DECIDES.iter_errors(claim)}
        assert found == broken
        assert DECIDES.is_valid(claim) == (not broken)


def test_reference_checks_dates() -> None:
    assert {"date", "date-time"} <= FORMATS.checkers.keys()


@pytest.mark.parametrize(
    ("field", "case"),
    FIELD_CASES,
    ids=lambda value: identity(value) if isinstance(value, dict) else "",
)
def test_cases_get_the_same_verdict(field: str, case: Case) -> None:
    fields = fields_of(with_literal(field, case.get("value")))
    assert not isinstance(fields, Rejection)
    assert_same_verdict(fields)


@BUDGET
@given(claims())
def test_any_claim_gets_the_same_verdict(claim: dict[str, Any]) -> None:
    assert_same_verdict(claim)


def rule_cases() -> list[Case]:
    return [case for cases in load_folder("rules").values() for case in cases]


@pytest.mark.parametrize("rule", (*RULES.risk, *RULES.quality), ids=lambda rule: rule.id)
def test_rules_fire_alike(rule: Any) -> None:
    decides, when = condition_of(rule), json.loads(json.dumps(rule.when, default=float))
    reference = jsonschema.Draft202012Validator(when)
    for case in rule_cases():
        claim = outcome_of(VALIDATE, CLEAN | case["claim"])
        assert isinstance(claim, dict)
        facts = facts_of(claim)
        if not any(map(ends_in_line_end, facts.values())):
            assert decides(facts) == reference.is_valid(facts)

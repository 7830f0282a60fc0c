"""Each field of the contract: what it takes, how it is spelt afterwards, and what it refuses."""

import re

import pytest

from pipeline.claims.rejection import Rejection
from tests.support.claims.case_files import Case, identity, load_folder
from tests.support.claims.core import CONTRACT, accepted, outcome, violation_of, with_literal

FIELDS = load_folder("fields")
# Keywords that ask nothing of a value.
ANNOTATIONS = {"description", "x-bigquery", "x-separator", "x-label", "x-refers-to"}
# Rules of ours that are no keyword: what normalisation does, and what a NUMERIC column holds.
SPELLING, NUMERIC_RULES = "spelling", {"scale", "precision"}


def rules_of(field: str) -> set[str]:
    """The rules of which a field needs an accepting and a rejecting case."""
    schema = CONTRACT.properties[field]
    rules = (schema.keys() - ANNOTATIONS) | {SPELLING}
    if field in CONTRACT.document["required"]:
        rules.add("required")
    if field in CONTRACT.names("NUMERIC"):
        rules |= NUMERIC_RULES
    return rules


def rules_of_items(field: str) -> set[str]:
    """The rules that the items of an array can break, as a case of the first item spells them."""
    if field not in CONTRACT.records:
        return {"[].type"}
    fields, rules = CONTRACT.records[field], {"[0].type"}
    for name, schema in fields.properties.items():
        of_name = schema.keys() - ANNOTATIONS - {"items"}
        if name in fields.names("NUMERIC"):
            of_name |= NUMERIC_RULES
        rules |= {f"[0].{name}.{rule}" for rule in of_name}
        items = schema.get("items", {}).keys() - ANNOTATIONS
        rules |= {f"[0].{name}[].{rule}" for rule in items}
    return rules


@pytest.mark.parametrize(
    ("field", "case"),
    [(field, case) for field, cases in FIELDS.items() for case in cases],
    ids=lambda value: identity(value) if isinstance(value, dict) else "",
)
def test_value(field: str, case: Case) -> None:
    assert ("value" in case) != ("absent" in case)
    data = with_literal(field, case.get("value"))
    if "becomes" in case:
        value = accepted(data)[field]
        assert (value, type(value)) == (case["becomes"], type(case["becomes"]))
        return
    rejection = outcome(data)
    assert isinstance(rejection, Rejection)
    assert (rejection.stage, rejection.error_code) == ("validate", "schema_violation")
    found = {(violation.field, violation.rule) for violation in rejection.violations}
    assert found == {violation_of(field, rule) for rule in case["violates"]}
    assert rejection.claim_id == (None if field == "claim_id" else "CLM-1") or (
        field == "claim_id" and case["violates"] == ["minLength"]
    )


def test_every_field_has_a_file() -> None:
    assert FIELDS.keys() == CONTRACT.properties.keys()


@pytest.mark.parametrize("field", CONTRACT.properties)
def test_every_rule_of_a_field_has_an_accepting_case(field: str) -> None:
    assert {case["rule"] for case in FIELDS[field] if "becomes" in case} == rules_of(field)


@pytest.mark.parametrize("field", CONTRACT.properties)
def test_every_rule_of_a_field_has_a_rejecting_case(field: str) -> None:
    violated = {
        re.sub(r"^\[\d+\]", "[0]", rule)
        for case in FIELDS[field]
        for rule in case.get("violates", ())
    }
    wanted = rules_of(field) - {SPELLING, "items"}
    if "items" in rules_of(field):
        wanted |= rules_of_items(field)
    assert violated == wanted
    for case in FIELDS[field]:
        assert case["rule"] in rules_of(field), "a case of a rule that the field does not have"
        if "violates" in case and case["rule"] not in (SPELLING, "items", "precision"):
            assert case["rule"] in case["violates"]

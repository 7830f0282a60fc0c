"""The scorer, which remembers verdicts and takes short cuts, against each rule asked by itself."""

import json
from decimal import Decimal
from typing import Any

import jsonschema
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.claims.documents import check_rules
from pipeline.claims.judgement import Scorer
from pipeline.claims.rejection import Rejection
from pipeline.claims.signals.facts import Facts
from tests.support.claims.core import CLEAN, CONTRACT, VALIDATE, outcome_of
from tests.support.claims.facts import facts_of
from tests.support.claims.strategies import BUDGET

# Values around the bounds that the conditions test, in every type that a claim may hold.
VALUES: dict[str, list[Any]] = {
    "claim_amount": [0, 0.5, 1, 1.0, 4999.99, 5000, 5000.0, 5000.01, "5000.000000001", 1_000_000],
    "patient_age": [None, 0, 1, 2, 3, 150],
    "billing_npi": [None, "1234567893", "1234567890", "1"],
    "place_of_service": [None, "11", "Office", "0", "1"],
    "diagnosis_codes": [[], ["I10"], ["I10", "flu"], ["flu", "I10"]],
    "submission_date": [None, "2026-03-01", "2026-03-02", "2026-05-01", "2026-05-02", "2027-03-03"],
}
NUMBERS = st.sampled_from([0, 1, 1.0, 0.5, 2, 60, 5000, 5000.0, 4999.99, 150])
TYPES = st.sampled_from(["null", "integer", "number", "string", "boolean", "array"])


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    """A JSON Schema of one field."""
    schema = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
                "minimum": NUMBERS,
                "maximum": NUMBERS,
                "exclusiveMinimum": NUMBERS,
                "exclusiveMaximum": NUMBERS,
                "multipleOf": st.sampled_from([1, 5, 0.5]),
                "const": st.sampled_from([None, True, False, 0, 1, "1", "11", [], ["I10"]]),
                "enum": st.just([0, 1, "11", None]),
                "maxItems": st.sampled_from([0, 1]),
                "minLength": st.sampled_from([1, 2]),
                "contains": st.just({"pattern": "^f"}),
            },
        )
    )
    return draw(st.sampled_from([schema, schema, {"not": schema}, True, False]))


FIELDS = st.sampled_from([*VALUES, "days_to_submission", "npi_check_digit_ok"])
CONDITIONS = st.recursive(
    st.dictionaries(FIELDS, schemas(), max_size=2).map(lambda some: {"properties": some})
    | st.lists(FIELDS, max_size=1).map(lambda some: {"required": some})
    | st.fixed_dictionaries({"type": st.sampled_from(["object", "array"])})
    | st.booleans(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2).map(lambda some: {"anyOf": some})
        | st.lists(inner, min_size=1, max_size=2).map(lambda some: {"allOf": some})
        | inner.map(lambda one: {"not": one})
        | st.tuples(inner, inner).map(lambda two: {"if": two[0], "then": two[1]})
        | st.tuples(inner, schemas()).map(
            lambda two: {"allOf": [two[0]], "properties": {"claim_amount": two[1]}}
        )
    ),
    max_leaves=3,
)
CLAIMS = st.fixed_dictionaries({name: st.sampled_from(some) for name, some in VALUES.items()})


def plain(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as the reference can judge them: it knows no `Decimal`."""
    return {
        name: float(value) if isinstance(value, Decimal) else value for name, value in facts.items()
    }


@BUDGET
@example([{"type": "array"}, {"type": "object"}, True, False], [{}])
@given(st.lists(CONDITIONS, min_size=1, max_size=4), st.lists(CLAIMS, min_size=1, max_size=6))
def test_rules_fire_as_the_reference_says(conditions: list[Any], claims: list[Any]) -> None:
    rules = [
        {"id": f"rule_{place}", "description": "", "when": when, "weight": 0.1}
        for place, when in enumerate(conditions)
    ]
    document = json.dumps({"risk_rules": rules, "quality_rules": []})
    scorer = Scorer(check_rules(document, CONTRACT), Facts({}))
    references = [jsonschema.Draft202012Validator(when) for when in conditions]
    valid = [outcome_of(VALIDATE, CLEAN | changes) for changes in claims]
    assert not any(isinstance(claim, Rejection) for claim in valid)
    facts = [facts_of(claim) for claim in valid]
    expected = [
        [f"rule_{n}" for n, one in enumerate(references) if one.is_valid(plain(some))]
        for some in facts
    ]
    by_field = {name: [some[name] for some in facts] for name in facts[0]}
    for _ in range(2):  # the second time from memory
        fired = scorer.fired(by_field)
        assert [[rule.id for rule in scorer.rules(mask)[0]] for mask in fired] == expected
    for some, mask in zip(facts, fired, strict=True):
        assert scorer.fired({name: [value] for name, value in some.items()}) == [mask]

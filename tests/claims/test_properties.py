"""What holds for every message and every claim, whatever they are."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.claims.contract import ADDITIONAL_FIELDS, MAX_VIOLATIONS
from pipeline.claims.error_row import error_row
from pipeline.claims.formats.json_documents import ERRORS
from pipeline.claims.message import Message
from pipeline.claims.normalise import normaliser
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import claims_table
from tests.support.claims.core import CLEAN, CONTRACT, NOW, RULES, accepted, outcome, with_literal
from tests.support.claims.strategies import BUDGET, JSON_VALUES, amounts, claims, messages

COLUMNS = {column.name for column in claims_table(CONTRACT).columns}
NORMALISE = normaliser(CONTRACT)
WEIGHTS = {rule.id: rule.weight for rule in RULES.risk}
CODES = {"parse": set(ERRORS), "validate": {"schema_violation", "nesting_too_deep"}}
CANARY = "Canary4711"


def assert_one_row(data: bytes) -> None:
    """A message becomes a whole claim row, or a rejection that has an error row."""
    verdict = outcome(data)
    if isinstance(verdict, Rejection):
        assert verdict.error_code in CODES[verdict.stage]
        assert verdict.error and "\n" not in verdict.error
        assert len(verdict.violations) <= MAX_VIOLATIONS
        assert bool(verdict.violations) == (verdict.error_code == "schema_violation")
        assert error_row(Message(data), verdict, NOW)["raw_size"] == len(data)
        return
    assert verdict.keys() == COLUMNS
    claim = {name: verdict[name] for name in CONTRACT.properties} | amount(verdict)
    assert CONTRACT.accept([claim]) == [True]
    assert all(verdict[column.name] is not None for column in required_columns())
    assert 0 <= verdict["fraud_risk_score"] <= 1


def amount(row: dict[str, Any]) -> dict[str, Any]:
    return {"claim_amount": Decimal(row["claim_amount"])}


def required_columns() -> list[Any]:
    return [column for column in CONTRACT.columns if column.mode == "REQUIRED"]


@BUDGET
@given(st.binary(max_size=200))
def test_any_bytes_give_one_row_or_one_rejection(data: bytes) -> None:
    assert_one_row(data)


@BUDGET
@given(messages())
def test_any_wounded_claim_gives_one_row_or_one_rejection(data: bytes) -> None:
    assert_one_row(data)


@BUDGET
@given(claims())
def test_any_claim_of_json_gives_one_row_or_one_rejection(claim: dict[str, Any]) -> None:
    assert_one_row(json.dumps(claim).encode())


@BUDGET
@given(st.dictionaries(st.text(max_size=8), JSON_VALUES, max_size=6))
def test_any_object_gives_one_row_or_one_rejection(fields: dict[str, Any]) -> None:
    assert_one_row(json.dumps(fields).encode())


@BUDGET
@given(amounts())
@example((Decimal("0.000000001"), "1e-9"))
@example((Decimal("999999.999999999"), "999999.999999999"))
@example((Decimal("1000000"), '"1000000.000000000000"'))
def test_money_survives_to_the_last_digit(spelt: tuple[Decimal, str]) -> None:
    exact, literal = spelt
    for claim in (CLEAN, CLEAN | {"lines": {"claim_amount": 1}}):  # the quick and the exact way
        text = accepted(with_literal("claim_amount", literal, claim))["claim_amount"]
        assert Decimal(text) == exact
        assert text.replace(".", "", 1).isdigit()


@BUDGET
@given(st.decimals(allow_nan=False, allow_infinity=False).map(str))
def test_money_is_exact_or_rejected(literal: str) -> None:
    for spelt in (literal, f'"{literal}"'):
        verdict = outcome(with_literal("claim_amount", spelt))
        if not isinstance(verdict, Rejection):
            assert Decimal(verdict["claim_amount"]) == Decimal(literal)


@BUDGET
@given(claims())
def test_normalisation_is_idempotent_and_leaves_its_input_alone(claim: dict[str, Any]) -> None:
    before = json.dumps(claim)
    once = NORMALISE(claim)
    assert json.dumps(claim) == before
    assert repr(NORMALISE(once)) == repr(once)
    assert {name for name in once if once[name] is not claim[name]} <= CONTRACT.properties.keys()


def with_canary(value: Any) -> Any:
    """The value with a canary in each of its texts and keys."""
    if isinstance(value, dict):
        return {CANARY + key: with_canary(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_canary(item) for item in value]
    return CANARY + value if isinstance(value, str) else value


@BUDGET
@given(claims())
def test_no_value_or_unknown_name_is_told(claim: dict[str, Any]) -> None:
    known = CONTRACT.properties
    marked = {
        name if name in known else CANARY + name: with_canary(value)
        for name, value in claim.items()
    } | {"patient_age": CANARY}
    verdict = outcome(json.dumps(marked).encode())
    assert isinstance(verdict, Rejection)
    assert CANARY not in verdict.error
    assert CANARY not in repr(verdict.violations)


@BUDGET
@given(claims())
def test_unknown_fields_are_kept(claim: dict[str, Any]) -> None:
    verdict = outcome(json.dumps(claim).encode())
    if isinstance(verdict, Rejection):
        return
    unknown = {name: value for name, value in claim.items() if name not in CONTRACT.properties}
    kept = json.loads(verdict[ADDITIONAL_FIELDS] or "{}")
    # Integers of more than 64 bits are kept as text, as every digit of theirs counts.
    assert kept == json.loads(json.dumps(unknown), parse_int=lambda text: _as_kept(int(text)))


def _as_kept(number: int) -> int | float | str:
    if -(2**63) <= number < 2**64:
        return number
    return float(number) if Decimal(repr(float(number))) == number else str(number)


@BUDGET
@given(claims())
def test_score_is_the_decimal_sum_of_its_reasons(claim: dict[str, Any]) -> None:
    verdict = outcome(json.dumps(claim).encode())
    if isinstance(verdict, Rejection):
        return
    total = sum((WEIGHTS[reason] for reason in verdict["risk_reasons"]), Decimal(0))
    assert verdict["fraud_risk_score"] == float(min(total, Decimal(1)))
    assert verdict["high_risk_flag"] == (total > Decimal("0.5"))


@BUDGET
@given(claims(), st.sampled_from([0, 1, None, "1", 0.0]))
def test_label_never_changes_the_verdict(claim: dict[str, Any], label: Any) -> None:
    rows = []
    for value in (0, label):
        verdict = outcome(json.dumps(claim | {"synthetic_label_is_fraud": value}).encode())
        rows.append(None if isinstance(verdict, Rejection) else verdict)
    if rows[0] is None or rows[1] is None:
        assert rows[0] is rows[1]
        return
    for row in rows:
        del row["synthetic_label_is_fraud"]
    assert rows[0] == rows[1]

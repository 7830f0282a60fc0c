"""Rules on look-ups: evidence, a basis that changes between batches, signals that are null."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.documents import check_rules
from pipeline.claims.judgement import Basis, Judgement
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.signals.table import SIGNALS
from pipeline.claims.stages import Enrich
from tests.support.claims import reference_lists
from tests.support.claims.core import CLEAN, CONTRACT, RULES, VALIDATE, clock, outcome_of

PAGE = (Path(__file__).parents[2] / "docs/reference/signals.md").read_text("utf-8")


def rules_of(*whens: Any) -> Rules:
    rules = [
        {"id": f"rule_{n}", "description": "", "weight": 0.1, "when": when}
        for n, when in enumerate(whens)
    ]
    return check_rules(json.dumps({"risk_rules": rules, "quality_rules": []}), CONTRACT)


def judged(rules: Rules, *claims: dict[str, Any], **lookups: Any) -> dict[str, list[Any]]:
    valid = [outcome_of(VALIDATE, CLEAN | claim) for claim in claims]
    judgement = Judgement(Basis(rules, lookups), 0.5)
    fired = judgement.fired({name: [each[name] for each in valid] for name in CONTRACT.blank})
    columns = judgement.columns(fired)
    return {name: list(map(_plain, values)) for name, values in columns.items()}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def when(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


WHOLE = {"provider_id": "PRV-1", "service_end_date": "2026-03-03"}
LINES = [{"line_number": n, "procedure_code": "10001", "units": 7} for n in (1, 2)]
FEW = [LINES[0] | {"units": 1}]


@pytest.mark.parametrize(
    ("condition", "claim", "evidence"),
    [
        (when(mue_exceeded={"const": True}), {"service_lines": LINES}, "units 14, limit 2"),
        (
            when(duplicate_share={"minimum": 0.1}, patients_90d={"minimum": 3}),
            {"provider_id": "PRV-1"},
            "duplicate_share 0.125, at least 0.1; patients_90d 30, at least 3",
        ),
        (
            when(amount_90d={"minimum": 1000, "maximum": 200000}),
            {"provider_id": "PRV-1"},
            "amount_90d 123456.78, at least 1000, at most 200000",
        ),
        (
            when(claim_amount={"exclusiveMinimum": 5000}),
            {"claim_amount": 6000},
            "claim_amount, above 5000",
        ),
        (
            when(diagnosis_codes={"maxItems": 0}),
            {"diagnosis_codes": []},
            "diagnosis_codes, at most 0 items",
        ),
        (
            when(npi_check_digit_ok={"const": False}),
            {"billing_npi": "1234567890"},
            "npi_check_digit_ok false",
        ),
        (
            {"anyOf": [when(growth={"minimum": 9}), when(growth={"minimum": 3})]},
            {"provider_id": "PRV-1"},
            "growth 3.5, at least 9, at least 3",
        ),
        (
            when(days_to_submission={"type": "integer", "exclusiveMinimum": 60}),
            {"service_date": "2026-01-01", "submission_date": "2026-03-17"},
            "days_to_submission 75, above 60",
        ),
        (
            when(line_procedure_codes={"minItems": 1, "contains": {"const": "10001"}}),
            {"service_lines": LINES},
            "line_procedure_codes, at least 1 item",
        ),
        (when(mue_exceeded={"const": False}), {"service_lines": FEW}, "mue_exceeded false"),
        (
            {"anyOf": [when(ptp_pair={"const": True}), when(mue_exceeded={"const": True})]},
            {"service_lines": LINES},
            "ptp_pair false; units 14, limit 2",
        ),
    ],
)
def test_evidence(condition: Any, claim: dict[str, Any], evidence: str) -> None:
    # A quiet claim beside it, whose evidence must not be mixed up with it.
    columns = judged(rules_of(condition), {}, claim, **reference_lists.lookups())
    assert columns["risk_reasons"][-1] == ["rule_0"]
    assert columns["risk_evidence"][-1] == [evidence]


def test_rules_on_every_signal_have_evidence_whatever_the_signal_is() -> None:
    rules = [when(**{signal: {"not": {"const": "no signal is this"}}}) for signal in SIGNALS]
    claims = [{}, {"service_lines": LINES}, {"service_lines": FEW, **WHOLE}]
    columns = judged(rules_of(*rules), *claims, **reference_lists.lookups())
    assert columns["risk_reasons"][-1] == [f"rule_{n}" for n in range(len(SIGNALS))]
    for reasons, evidence in zip(columns["risk_reasons"], columns["risk_evidence"], strict=True):
        assert len(reasons) == len(evidence)
    assert [text.split()[0] for text in columns["risk_evidence"][-1]] == [*SIGNALS]


@pytest.mark.parametrize("zero", ["0.0", "-0.0", "-0.0001"])
def test_zero_has_no_sign_in_evidence(zero: str) -> None:
    """Of zeros that are equal, the first one would else be shown for all."""
    text = reference_lists.text("provider_profile").replace(",3.5,", f",{zero},")
    profile = reference_lists.read("provider_profile", text)
    rules = rules_of(when(growth={"maximum": 1}))
    columns = judged(rules, {"provider_id": "PRV-1"}, provider_profile=profile)
    assert columns["risk_evidence"] == [["growth 0, at most 1"]]


def test_each_reason_has_its_evidence() -> None:
    columns = judged(
        RULES,
        {"claim_amount": 6000, "billing_npi": "1972902351", "provider_id": "PRV-1"},
        {},
        **reference_lists.lookups(),
    )
    for reasons, evidence in zip(columns["risk_reasons"], columns["risk_evidence"], strict=True):
        assert len(reasons) == len(evidence)
    at = columns["risk_reasons"][0].index("excluded_provider")
    assert columns["risk_evidence"][0][at] == "excluded since 2022-03-20, basis 1128b8"


def test_provider_without_a_profile_fires_nothing() -> None:
    """Although null passes `minimum` in JSON Schema."""
    rules = rules_of(when(amount_90d={"minimum": 0}), when(growth={"maximum": 100}))
    columns = judged(
        rules, *({"provider_id": f"PRV-{n}"} for n in (1, 2, 3)), **reference_lists.lookups()
    )
    assert columns["risk_reasons"] == [["rule_0", "rule_1"], ["rule_0"], []]


def test_signals_by_key_and_across_agree() -> None:
    """`allOf` takes the way claim by claim; the plain form the one that is remembered by key."""
    conditions = [
        when(claims_per_patient={"minimum": 3}),
        when(growth={"minimum": 3}, claim_amount={"minimum": 200}),
        when(provider_id={"const": "PRV-1"}, amount_30d={"minimum": 1}),
    ]
    across = [{"allOf": [each]} for each in conditions]
    claims = [
        {"provider_id": provider, "claim_amount": amount}
        for provider in ("PRV-1", "PRV-2", "PRV-3")
        for amount in (100, 300)
    ]
    # A null passes limits across fields: there the type is part of the rule.
    typed = json.loads(json.dumps(across).replace('"minimum"', '"type": "number", "minimum"'))
    plain, other = (
        judged(rules_of(*each), *claims, **reference_lists.lookups())
        for each in (conditions, typed)
    )
    assert plain["risk_reasons"] == other["risk_reasons"]
    assert plain["risk_reasons"][0] == ["rule_0", "rule_2"]


def test_rules_without_their_source_are_silent_even_on_null() -> None:
    rules = rules_of(when(growth={"type": "null"}), {"not": when(growth={"type": "number"})})
    assert judged(rules, {})["risk_reasons"] == [[]]


class Changing:
    """A basis that changes when a test says so."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        self.counts = {"reference_read_rules": 1}

    def now(self) -> Basis:
        return self.basis

    def take_counts(self) -> dict[str, int]:
        counts, self.counts = self.counts, {}
        return counts


def test_another_basis_judges_the_next_batch_and_loses_no_count() -> None:
    high = when(claim_amount={"exclusiveMinimum": 5000})
    source = Changing(Basis(rules_of(high), versions=("rules=1",)))
    enrich = Enrich(ClaimRows(CONTRACT, source, 0.5, "test"), clock)
    claims = [outcome_of(VALIDATE, CLEAN | {"claim_amount": 6000})] * 3
    messages = [Message(b"")] * 3
    first = enrich.decide(messages, claims).outcomes
    source.basis = Basis(rules_of(high, high), versions=("rules=2",))
    second = enrich.decide(messages, claims).outcomes
    assert [row["fraud_risk_score"] for row in first] == [0.1] * 3
    assert [row["fraud_risk_score"] for row in second] == [0.2] * 3
    assert [list(row["reference_versions"]) for row in second] == [["rules=2"]] * 3
    counts, _ = enrich.take_metrics()
    assert counts == {
        "accepted": 6,
        "high_risk": 0,
        "rule_rule_0": 6,
        "rule_rule_1": 3,
        "reference_read_rules": 1,
    }


def test_every_signal_and_every_risk_rule_is_documented() -> None:
    for name in SIGNALS:
        assert f"`{name}`" in PAGE, name
    for rule in RULES.risk:
        assert f"| `{rule.id}` | {rule.weight} |" in PAGE, rule.id


def test_no_rule_about_size_alone_can_flag() -> None:
    """Whatever a provider bills, and however it grows: what speaks of size adds up to little."""
    sizes = {"provider_amount", "provider_growth", "provider_long_stays"}
    assert sum(rule.weight for rule in RULES.risk if rule.id in sizes) < 0.5

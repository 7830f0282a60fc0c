"""Each rule fires and keeps silent where its cases say so; scores and features are right."""

import json

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.judgement import Unchanging
from pipeline.claims.rules import fields_read
from pipeline.claims.signals.table import SIGNALS
from pipeline.claims.stages import Enrich
from tests.support.claims import reference_lists
from tests.support.claims.case_files import Case, identity, load, load_folder
from tests.support.claims.core import (
    CLEAN,
    CONTRACT,
    RULES,
    VALIDATE,
    accepted,
    clock,
    fields_of,
    outcome_of,
    row_of,
)

RULE_CASES = load_folder("rules")
WITH_LISTS = Enrich(
    ClaimRows(CONTRACT, Unchanging(RULES, reference_lists.lookups()), 0.5, "test"), clock
)


@pytest.mark.parametrize(
    ("rule", "case"),
    [(rule, case) for rule, cases in RULE_CASES.items() for case in cases],
    ids=lambda value: identity(value) if isinstance(value, dict) else "",
)
def test_rule(rule: str, case: Case) -> None:
    claim = outcome_of(VALIDATE, fields_of(json.dumps(CLEAN | case["claim"]).encode()))
    row = outcome_of(WITH_LISTS, claim)
    column = "risk_reasons" if rule in {risk.id for risk in RULES.risk} else "quality_issues"
    assert (rule in row[column]) == ("fires" in case)


@pytest.mark.parametrize("rule", RULE_CASES)
def test_rules_of_lists_are_silent_without_them(rule: str) -> None:
    [this] = [each for each in (*RULES.risk, *RULES.quality) if each.id == rule]
    read = fields_read(this.when) or ()
    if any(SIGNALS[name].source for name in read if name in SIGNALS):
        for case in RULE_CASES[rule]:
            row = row_of(**case["claim"])
            assert rule not in [*row["risk_reasons"], *row["quality_issues"]]


def test_every_rule_has_a_file_with_both_outcomes() -> None:
    assert RULE_CASES.keys() == {rule.id for rule in (*RULES.risk, *RULES.quality)}
    for rule, cases in RULE_CASES.items():
        assert {"fires" in case for case in cases} == {True, False}, rule


@pytest.mark.parametrize("case", load("score"), ids=identity)
def test_score(case: Case) -> None:
    row = row_of(**case["claim"])
    assert row["fraud_risk_score"] == case["score"]
    assert list(row["risk_reasons"]) == case["reasons"]
    assert row["high_risk_flag"] is case["high_risk"]


def test_clean_claim_has_no_issue() -> None:
    assert not row_of()["quality_issues"]


def test_absent_field_counts_as_null() -> None:
    core = CONTRACT.document["required"]
    null = {name: None for name in CLEAN if name not in core}
    absent = accepted(json.dumps({name: CLEAN[name] for name in core}).encode())
    assert absent == row_of(**null)


def test_threshold_is_exclusive() -> None:
    row = row_of(claim_amount=5000.01, service_date="2026-01-01")
    assert (row["fraud_risk_score"], row["high_risk_flag"]) == (0.5, False)

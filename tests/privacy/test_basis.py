"""Claims are scored on clear values; on a replay, without the rules that would look into one."""

import json
from typing import Any

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.stages import Enrich
from pipeline.privacy.basis import rules_into, without
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.stages import PseudonymousEnrich
from tests.privacy.test_pseudonyms import OURS
from tests.support.claims.core import CLEAN, CONTRACT, RULES, VALIDATE, clock, fields_of, outcome_of

TEXTS = CONTRACT.names("STRING")
NAMED = NamedFields(CONTRACT, TEXTS, OURS)
ENRICH = PseudonymousEnrich(
    lambda basis: Enrich(ClaimRows(CONTRACT, basis, 0.5, "test"), clock), Unchanging(RULES), NAMED
)


def row_of(data: bytes) -> dict[str, Any]:
    claim = outcome_of(VALIDATE, fields_of(data))
    assert isinstance(claim, dict)
    row = outcome_of(ENRICH, claim, data)
    assert isinstance(row, dict)
    return row


def replay_of(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of a claim and of its replay."""
    data = json.dumps(CLEAN | changes).encode()
    return row_of(data), row_of(NAMED.message(Message(data), fields_of(data)).data)


def test_rules_that_look_into_a_field():
    found = rules_into(RULES, TEXTS)
    of_profiles = {"provider_amount", "provider_bills_twice", "provider_claims_per_patient"}
    of_profiles |= {"provider_growth", "provider_long_stays"}
    assert {rule: found[rule] for rule in of_profiles} == dict.fromkeys(
        of_profiles, {"provider_id"}
    )
    assert found["excluded_provider"] >= {"billing_npi"}
    assert found["invalid_npi"] == {"billing_npi"}
    assert found["unknown_place_of_service"] == {"place_of_service"}
    assert rules_into(RULES, ("patient_id", "claim_id")) == {}


@pytest.mark.parametrize(
    "when, looks",
    [
        ({"properties": {"notes": {"type": "null"}}}, False),
        ({"properties": {"notes": {"type": "string"}, "patient_age": {"minimum": 1}}}, False),
        ({"properties": {"notes": {"minLength": 1}}}, True),
        ({"properties": {"notes": False}}, True),
        ({"anyOf": [{"properties": {"notes": {"const": "x"}}}]}, True),
        ({"not": {"properties": {"patient_age": {"minimum": 1}}}}, False),
    ],
)
def test_what_looks_into_a_field(when: Any, looks: bool):
    rule = {"id": "a_rule", "description": "A rule.", "when": when}
    rules = Rules(json.dumps({"risk_rules": [], "quality_rules": [rule]}))
    assert rules_into(rules, ("notes",)) == ({"a_rule": {"notes"}} if looks else {})
    assert without(rules, rules_into(rules, ("notes",))).quality == (() if looks else rules.quality)


def test_rules_without_none_are_the_same():
    same = without(RULES, ())
    assert (same.risk, same.quality, same.version) == (RULES.risk, RULES.quality, RULES.version)


def test_batch_of_claims_and_replays_is_judged_claim_by_claim():
    data = json.dumps(CLEAN | {"billing_npi": "1234567890"}).encode()
    again = NAMED.message(Message(data), fields_of(data)).data
    every = [data, again, data, again, again]
    claims = [outcome_of(VALIDATE, fields_of(each)) for each in every]
    ENRICH.take_metrics()
    rows = ENRICH.decide(list(map(Message, every)), claims).outcomes
    alone = {each: row_of(each)["risk_reasons"] for each in (data, again)}
    assert [row["risk_reasons"] for row in rows] == [alone[each] for each in every]
    counts, samples = ENRICH.take_metrics()
    assert (counts["accepted"], counts["rule_invalid_npi"]) == (5 + 2, 2 + 1)
    assert samples.keys() == {"event_lag_ms"}
    assert ENRICH.take_metrics() == ({}, {})


def test_scores_see_clear_values_and_replays_are_not_judged_by_pseudonyms():
    first, again = replay_of(billing_npi="1234567890", place_of_service="ER")
    assert first["risk_reasons"] == ("invalid_npi",)
    assert first["quality_issues"] == ("unknown_place_of_service",)
    assert (again["risk_reasons"], again["quality_issues"]) == ((), ())
    assert again["fraud_risk_score"] == 0
    assert [first[name] for name in TEXTS] == [again[name] for name in TEXTS]


def test_other_rules_judge_a_replay_too():
    first, again = replay_of(claim_amount=6000, provider_region=None, billing_npi=None)
    assert first == again
    assert first["risk_reasons"] == ("high_amount",)
    assert first["quality_issues"] == ("missing_billing_npi", "missing_provider_region")


def test_claim_without_those_fields_is_judged_by_all_rules():
    document = json.loads(CONTRACT.text)
    del document["properties"]["notes"]
    first, again = replay_of(billing_npi=None, place_of_service=None)
    assert first == again

"""On generated claims, the providers of rings lead the report, and honest large ones do not."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.support import ring_rows
from tests.support.report_rows import Tables

pytestmark = pytest.mark.usefixtures("emulated")

TELLS = {
    "units_beyond_limits": "mue_exceeded",
    "many_claims_per_patient": "provider_claims_per_patient",
    "duplicate_lines": "duplicate_line",
}
"""The patterns that a rule is made for, and its reason."""


def test_ring_providers_lead_with_their_reasons(tables: Tables, tmp_path: Path):
    claims, _ = ring_rows.rows(12_000)
    tables.add(claims, [])
    path = tmp_path / "figures.json"
    assert tables.report(path, "--json") == 0
    figures = json.loads(path.read_text())
    shown = {row["provider_id"]: row for row in figures["providers"]}
    expected = {
        provider: TELLS[pattern]
        for provider, pattern in ring_rows.PATTERN_OF.items()
        if pattern in TELLS
    }
    leading = list(shown)[: len(expected)]
    assert {each: shown[each]["reason"] for each in leading} == expected
    assert shown.keys().isdisjoint(ring_rows.LARGE_PROVIDERS)
    for provider in leading:
        reasons: Counter[str] = Counter()
        for row in claims:
            reasons.update(row["risk_reasons"] if row["provider_id"] == provider else ())
        true = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:10]
        assert [(row["reason"], row["claims"]) for row in shown[provider]["reasons"]] == true
        texts = {
            text
            for row in claims
            if row["provider_id"] == provider
            for reason, text in zip(row["risk_reasons"], row["risk_evidence"], strict=True)
            if reason == true[0][0]
        }
        assert shown[provider]["reasons"][0]["evidence"] in texts
    named = " ".join(figures["findings"])
    assert [provider for provider in expected if provider not in named] == []

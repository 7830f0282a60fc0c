"""A row of the table, judged again, gets the score that its message would get."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

import pytest

from claims_ops.backtest.stored_claims import StoredClaims
from pipeline.claims.claim_rows import NUMBER_AS_TEXT, ClaimRows
from pipeline.claims.documents import check_rules
from pipeline.claims.judgement import Judgement, Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.signals.table import SIGNALS
from pipeline.claims.stages import Enrich, through
from pipeline.claims.tables import claims_table
from sandbox.synthetic import synthetic
from tests.support import hostile_corpus
from tests.support.claims import reference_lists
from tests.support.claims.core import CLEAN, CONTRACT, PARSE, VALIDATE, clock
from tests.support.claims.stored_rows import stored

JUDGED = ("fraud_risk_score", "high_risk_flag", "risk_reasons", "risk_evidence", "quality_issues",
          "days_to_submission")  # fmt: skip
EXCEPT = {"ingest_ts"}
"""A TIMESTAMP: its text in the message is not kept."""


def rule(name: str, when: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "weight": 0.0001, "description": "-", "when": {"properties": when}}


@cache
def sensitive_rules() -> Rules:
    """Rules that tell many values of every field and signal apart."""
    fields = sorted({*CONTRACT.properties} - EXCEPT - {"synthetic_label_is_fraud"})
    tests: dict[str, dict[str, Any]] = {
        "number": {"type": "number"},
        "whole": {"type": "integer"},
        "text": {"type": "string", "minLength": 1},
        "none": {"type": "null"},
        "cents": {"multipleOf": 0.01},
        "large": {"minimum": 1000.01},
        "long": {"minItems": 2, "minLength": 9},
        "items": {"contains": {"type": "object", "properties": {"units": {"minimum": 1.5}}}},
        "z": {"pattern": "[2-9]$"},
    }
    made = [
        rule(f"{field}_{name}", {field: schema})
        for field in fields
        for name, schema in tests.items()
    ]
    made += [rule(f"{name}_signal", {name: {"type": "number", "minimum": 1}}) for name in SIGNALS]
    return check_rules(json.dumps({"risk_rules": made, "quality_rules": []}), CONTRACT)


def rescored(rows: Sequence[dict[str, Any]], judgement: Judgement) -> Iterable[dict[str, Any]]:
    table = claims_table(CONTRACT)
    claims = StoredClaims(CONTRACT).claims(stored(rows, table.columns).to_pydict())
    columns = judgement.columns(judgement.fired(claims))
    for place in range(len(rows)):
        yield {name: columns[name][place] for name in JUDGED}


def wanted(row: dict[str, Any]) -> dict[str, Any]:
    judged = {name: row[name] for name in JUDGED}
    # No rule: a note of how a value was written.
    judged["quality_issues"] = tuple(
        each for each in judged["quality_issues"] if each != NUMBER_AS_TEXT
    )
    return judged


SPELLINGS: list[dict[str, Any]] = [
    {"claim_amount": amount, "patient_age": age}
    for amount in (0, -0.0, 100, 100.0, "100.00", 1e3, 0.1, 999999.999999999, 10**6, 5000.000000001)
    for age in (2, 45.0, None)
]  # fmt: skip


def messages(name: str, reference: list[bytes]) -> list[bytes]:
    if name == "reference":
        return reference
    if name == "corpus":
        entries = hostile_corpus.entries()
        return [each.data for each in entries if each.outcome == hostile_corpus.ACCEPTED]
    if name == "spellings":
        return [json.dumps(CLEAN | each).encode() for each in SPELLINGS]
    made = synthetic.claims(seed=7, now=datetime(2026, 11, 28, tzinfo=UTC))
    return [json.dumps(claim).encode() for claim in islice(made, 2000)]


@pytest.mark.parametrize("rules", ["default", "sensitive"])
@pytest.mark.parametrize("name", ["reference", "corpus", "spellings", "synthetic"])
def test_a_row_scores_as_its_message(name: str, rules: str, claims: list[bytes]):
    given = Rules.default() if rules == "default" else sensitive_rules()
    basis = Unchanging(given, reference_lists.lookups())
    enrich = Enrich(ClaimRows(CONTRACT, basis, 0.5, "test"), clock)
    data = messages(name, claims)
    rows = list(through([PARSE, VALIDATE, enrich], [Message(each) for each in data]).outcomes)
    assert len(rows) > 0.9 * len(data)
    again = list(rescored(rows, Judgement(basis.now(), 0.5)))
    assert again == list(map(wanted, rows))
    assert len({row["fraud_risk_score"] for row in rows}) > 1

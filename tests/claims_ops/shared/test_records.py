"""Rows as text: whole at any width, amounts as dollars."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from claims_ops.shared.records import Field, table, text_of

FIELDS = [
    Field("claim_id", "STRING"),
    Field("provider_id", "STRING"),
    Field("claim_amount", "NUMERIC"),
    Field("fraud_risk_score", "FLOAT"),
    Field("risk_reasons", "STRING"),
]
LONG = "12,345,678,901,234,567,890,123,456,789.012"
ROWS: list[list[Any]] = [
    [
        "5354b94e-0f0b-4c83-9b58-0c5f5e2b2a10",
        "PRV00050",
        Decimal("13651.5"),
        0.7,
        ["high_amount", "infant_high_amount", "late_submission", "amount_among_peers"],
    ],
    ["de9a3027-0f0b-4c83-9b58-0c5f5e2b2a10", None, Decimal("7"), 1.0, []],
]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_nothing_is_cut_at_any_width(width: int):
    text = table(FIELDS, ROWS, width)
    longest = max(len(word) for row in ROWS for value in row for word in str(value).split())
    assert max(map(len, text.splitlines())) <= max(width, longest + 16)
    for word in ("5354b94e-0f0b-4c83-9b58-0c5f5e2b2a10", "PRV00050", "$13,651.50", *ROWS[0][4]):
        assert re.search(rf"{re.escape(word)}\b", text)


def test_80_columns():
    assert table(FIELDS, ROWS, 80).splitlines() == [
        "                                                            fraud",
        "                                      provider       claim   risk",
        "claim id                              id            amount  score",
        "─" * 65,
        "5354b94e-0f0b-4c83-9b58-0c5f5e2b2a10  PRV00050  $13,651.50    0.7",
        "    risk reasons: high_amount, infant_high_amount, late_submission,",
        "    amount_among_peers",
        "de9a3027-0f0b-4c83-9b58-0c5f5e2b2a10                 $7.00      1",
    ]


def test_no_rows():
    assert table(FIELDS, [], 80).splitlines()[-1].startswith("─")


@pytest.mark.parametrize(
    "column, value, text",
    [
        ("claim_amount", Decimal("13651.5"), "$13,651.50"),
        ("claim_amount", Decimal("1000000"), "$1,000,000.00"),
        ("claim_amount", Decimal("0.123456789"), "$0.123456789"),
        ("paid_amount", Decimal("-7.1"), "-$7.10"),
        ("share", Decimal("1234.50"), "1,234.5"),
        ("share", Decimal("1E+3"), "1,000"),
        ("share", Decimal("12345678901234567890123456789.0120"), LONG),
        ("score", 0.30000000000000004, "0.3"),
        ("at", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04:05"),
        ("flag", False, "False"),
        ("notes", None, ""),
    ],
)
def test_text(column: str, value: Any, text: str):
    assert text_of(column, value) == text

"""How a report spells values, and how it cuts time into steps."""

import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claims_ops.report import text
from claims_ops.report.measures import MAX_STEPS, step_for, steps
from claims_ops.report.plot_heatmap import AMOUNTS_FROM, amount_label, score_label

INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC)
)
FAR = datetime(6326, 1, 1, 0, 0, 0, 999985, tzinfo=UTC)
"""Whose `timestamp` rounds up to the next second."""


@pytest.mark.parametrize(
    "said, expected",
    [
        (text.count(1234567), "1,234,567"),
        (text.count(None), "–"),
        (text.share(1, 3), "33.3%"),
        (text.share(1, 100_000), "<0.1%"),
        (text.share(0, 5), "0%"),
        (text.share(0, 0), "–"),
        (text.share(None, 5), "–"),
        (text.compact(0), "0"),
        (text.compact(None), "–"),
        (text.compact(Decimal("0.37")), "0.37"),
        (text.compact(Decimal("6007.37"), 2), "6.0 k"),
        (text.compact(Decimal("327410.78"), 2), "330 k"),
        (text.compact(Decimal("2467139.87")), "2.47 M"),
        (text.compact(999_999), "1.00 M"),
        (text.compact(10**16), "10000 T"),
        (text.duration(None), "–"),
        (text.duration(0), "0 ms"),
        (text.duration(-900), "-900 ms"),
        (text.duration(10_440), "10.4 s"),
        (text.duration(90_000_000), "1.0 d"),
        (text.step(1), "1 s"),
        (text.step(5400), "90 min"),
        (text.step(7 * 86_400), "7 d"),
        (text.instant(datetime(2026, 11, 23, 8, 5, 7), 60), "2026-11-23 08:05"),
        (text.instant(datetime(2026, 11, 23, 8, 5, 7), 86_400), "2026-11-23"),
        (text.instant(None), "–"),
        (text.shown("a\u202eb\n\U000e0001"), "a\\u202eb\\u000a\\U000e0001"),
        (text.shown("é 你 عربي =1+1"), "é 你 عربي =1+1"),
        (text.dollars(None), "–"),
        (text.dollars(Decimal("6007.37"), 2), "$6.0 k"),
        (text.change(112, 100), "+12%"),
        (text.change(50, Decimal(100)), "-50%"),
        (text.change(5, 0), ""),
        (text.change(5, None), ""),
        (amount_label(0), "0 – 50"),
        (amount_label(2500), "2.5k – 5k"),
        (amount_label(AMOUNTS_FROM[-1]), "100k or more"),
        (score_label(0), "0"),
        (score_label(0.3), "0.2 – 0.3"),
    ],
)
def test_values(said: Any, expected: Any):
    assert said == expected


@given(st.text())
def test_nothing_unseen_is_left(given_text: str):
    shown = text.shown(given_text)
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(INSTANTS, INSTANTS)
@example(FAR, FAR)
def test_steps_reach_from_the_first_to_the_last(one: datetime, other: datetime):
    first, last = sorted((one, other))
    seconds = step_for(first, last)
    made = list(steps(first, last, seconds))
    assert 1 <= len(made) <= MAX_STEPS
    assert made[0] <= first < made[0] + timedelta(seconds=seconds)
    assert made[-1] <= last < made[-1] + timedelta(seconds=seconds)

"""The clock tells the time once a millisecond, and is no part of what it is pickled with."""

import pickle
import time
from datetime import UTC, datetime

import pytest

from pipeline.claims.clock import SystemClock, milliseconds_between


def test_time_is_now_in_utc():
    before = time.time() - 0.001
    told = datetime.fromisoformat(SystemClock()())
    assert told.utcoffset() == datetime.now(UTC).utcoffset()
    assert before <= told.timestamp() <= time.time()


def test_text_changes_with_the_millisecond(monkeypatch: pytest.MonkeyPatch):
    clock, nanoseconds = SystemClock(), iter((10**9, 10**9 + 999_999, 10**9 + 1_000_000, 10**18))
    monkeypatch.setattr(time, "time_ns", lambda: next(nanoseconds))
    assert [clock() for _ in range(4)] == [
        "1970-01-01T00:00:01.000+00:00",
        "1970-01-01T00:00:01.000+00:00",
        "1970-01-01T00:00:01.001+00:00",
        "2001-09-09T01:46:40.000+00:00",
    ]


def test_it_pickles():
    assert pickle.loads(pickle.dumps(SystemClock()))()


@pytest.mark.parametrize(
    "start, passed",
    [
        ("2026-11-23T11:59:59.250Z", 750),
        ("2026-11-23T07:00:00.123456789-05:00", -123),
        ("2026-11-23T12:00:00", None),  # of no time zone
        ("2026-11-23T11:59:60Z", None),
        ("", None),
        (None, None),
    ],
)
def test_milliseconds_between(start: str | None, passed: int | None):
    assert milliseconds_between(start, "2026-11-23T12:00:00.000+00:00") == passed

"""The time of day, passed in wherever a step needs it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], str]
"""Tells the time as RFC 3339 text, UTC."""


class SystemClock:
    """The machine's clock in milliseconds.

    Text is made once a millisecond: it costs more than all else that a step does with it.
    """

    def __init__(self) -> None:
        self._millisecond = 0
        self._text = ""

    def __call__(self) -> str:
        millisecond = time.time_ns() // 1_000_000
        if millisecond != self._millisecond:
            now = datetime.fromtimestamp(millisecond / 1000, UTC)
            self._text = now.isoformat(timespec="milliseconds")
            self._millisecond = millisecond
        return self._text


def milliseconds_between(start: str | None, end: str) -> int | None:
    """From one RFC 3339 time to another; None where `start` is missing or not readable."""
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start or "")
    except (TypeError, ValueError):  # no text or without time zone; no time
        return None
    return round(passed.total_seconds() * 1000)

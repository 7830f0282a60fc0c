"""Service lines, as the signals about them read them; and what lines alone tell."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from pipeline.claims.signals.signal import Signal

Line = dict[str, Any]
Lines = Sequence[Line] | None

LINES = "service_lines"
_REPEATS = frozenset(("76", "77", "91"))
"""Modifiers that say that a service was repeated on purpose (CPT, appendix A)."""


def code_of(line: Line) -> str | None:
    code: str | None = line.get("procedure_code")
    return code


def day_of(line: Line, service_date: str | None) -> str | None:
    """The first day of the service: the line's, else the claim's."""
    day: str | None = line.get("service_date") or service_date
    return day


@lru_cache(16_384)
def days_in(start: str | None, end: str | None) -> int:
    """Days from the first to the last, both counted; 1 where one is missing or before."""
    if start is None or end is None:
        return 1
    return max(1, (date.fromisoformat(end) - date.fromisoformat(start)).days + 1)


def duplicate_line(lines: Lines, service_date: str | None) -> int | None:
    """Lines that repeat one before: code, modifiers, days, provider and units; None without lines.

    A line with a modifier for a repeated service is no duplicate.
    """
    if not lines:
        return None
    if len(lines) == 1:
        return 0
    codes = [line.get("procedure_code") for line in lines]
    if len(set(codes)) == len(codes):
        return 0
    billed = [
        (
            code_of(line),
            tuple(modifiers),
            day_of(line, service_date),
            *map(line.get, ("service_end_date", "rendering_npi", "units")),
        )
        for line in lines
        if code_of(line) is not None
        and _REPEATS.isdisjoint(modifiers := line.get("modifiers") or ())
    ]
    return len(billed) - len(set(billed))


SIGNALS = {"duplicate_line": Signal(duplicate_line, (LINES, "service_date"), only_with=LINES)}

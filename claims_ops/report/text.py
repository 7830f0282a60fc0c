"""Values as a reader sees them. A text of a table is hostile until `shown`."""

import unicodedata
from datetime import datetime
from decimal import Decimal

LONGEST = 128
"""Characters of a text that are shown; the contract's ids are no longer."""
NONE = "–"
_UNSEEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))

Number = int | float | Decimal


def shown(text: str) -> str:
    r"""The text with what nobody can see, or what turns its direction, written as `\u202e`.

    It can then be put into HTML and XML, which still have to escape it.
    """
    seen = "".join(_visible(each) for each in text[: LONGEST + 1])
    return seen if len(text) <= LONGEST else f"{seen[:LONGEST]}…"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def count(value: int | None) -> str:
    """`12,345`."""
    return NONE if value is None else f"{value:,}"


def share(part: Number | None, whole: Number | None) -> str:
    """`4.2%`; what is little and not nothing is `<0.1%`."""
    if not whole or part is None:
        return NONE
    percent = float(part) / float(whole) * 100
    if not percent:
        return "0%"
    return "<0.1%" if percent < 0.1 else f"{percent:.1f}%"


def part_of(part: int, whole: int) -> str:
    """`54  (5.4%)`, beside a bar."""
    return f"{part:,}  ({share(part, whole)})"


def compact(value: Number | None, digits: int = 3) -> str:
    """`2.47 M`: rounded, so that the sum of one claim does not tell its amount."""
    if value is None:
        return NONE
    rounded = float(f"{float(value):.{digits - 1}e}")
    size, unit = next(((s, f" {u}") for s, u in _UNITS if abs(rounded) >= s), (1, ""))
    whole = len(f"{abs(rounded / size):.0f}")
    return f"{rounded / size:.{max(0, digits - whole)}f}{unit}" if rounded else "0"


def duration(milliseconds: Number | None) -> str:
    """`350 ms`, `10.4 s`, `3.5 min`, `2.0 h`, `4.1 d`."""
    if milliseconds is None:
        return NONE
    value = float(milliseconds)
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:.0f} ms"


def instant(at: datetime | None, step_seconds: int = 1) -> str:
    """A time, UTC, no more precise than a step of that length needs."""
    if at is None:
        return NONE
    if step_seconds >= 86_400:
        return f"{at:%Y-%m-%d}"
    return f"{at:%Y-%m-%d %H:%M}" if step_seconds >= 60 else f"{at:%Y-%m-%d %H:%M:%S}"


def step(seconds: int) -> str:
    """The length of a step: `5 s`, `15 min`, `1 h`, `7 d`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def dollars(amount: Number | None, digits: int = 3) -> str:
    """`$2.47 M`."""
    return NONE if amount is None else f"${compact(amount, digits)}"


def change(now: Number | None, before: Number | None) -> str:
    """`+12%`: how much more than before; empty where there is nothing to compare with."""
    if not before or now is None:
        return ""
    return f"{(float(now) / float(before) - 1) * 100:+.0f}%"

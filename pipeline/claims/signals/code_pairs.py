"""Pairs of procedure codes that may not be billed together: CMS's NCCI, as its text files.

Source: CMS, NCCI procedure-to-procedure edits (`ccipra-*`, `ccioph-*`), and the NCCI Policy Manual,
chapter I, section E, for the modifiers. The files have millions of pairs, so that a pair is one
number of 64 bits: second code, first and last day, modifier indicator.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import product

from pipeline.claims.memory import Memory
from pipeline.claims.signals.published_table import InvalidReference, rows
from pipeline.claims.signals.published_table import day_of as published_day
from pipeline.claims.signals.service_lines import LINES, Line, Lines, code_of, day_of
from pipeline.claims.signals.signal import Signal

_COLUMNS = {
    "Column 1": r"column ?1",
    "Column 2": r"column ?2",
    "Effective Date": r"effective( date)?.*",
    "Deletion Date": r"deletion( date)?.*",
    "Modifier": r"modifier.*",
}
_CODE_LENGTH = 5
_BASE = 36
_EPOCH = date(1980, 1, 1).toordinal()
_NEVER = 0xFFFF
"""The last day of a pair that is in force."""
_NOT_ALLOWED, _ALLOWED, _NOT_APPLICABLE = 0, 1, 2
_INDICATORS = {"0": _NOT_ALLOWED, "1": _ALLOWED, "9": _NOT_APPLICABLE}
_REMEMBERED = 4_096
"""Sets of codes of a claim of which the pairs are kept."""
_SMALL = 20
"""Different codes of a claim whose pairs are remembered."""
_MAX_CODES = 100
"""Different codes of a claim that are looked up in pairs: the work is their square."""
NCCI_MODIFIERS = frozenset(
    "E1 E2 E3 E4 FA F1 F2 F3 F4 F5 F6 F7 F8 F9 TA T1 T2 T3 T4 T5 T6 T7 T8 T9 LT RT LC LD LM RC RI"
    " 24 25 27 57 58 59 78 79 91 XE XP XS XU".split()
)
"""With one of them a pair of indicator 1 may be billed."""


class CodePairs:
    """The pairs by their first code."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._pairs: dict[str, array[int]] = {}
        self.among = Memory(self._among, _REMEMBERED, _is_short).__getitem__
        """The listed pairs of some codes, each with its packed period and indicator."""
        first, packed = "", array("Q")
        for number, (one, two, start, end, indicator) in rows(lines, _COLUMNS, "\t"):
            if one != first:
                if len(one) != _CODE_LENGTH:
                    raise InvalidReference(f"row {number}: column 1 is not a procedure code")
                first, packed = one, self._pairs.setdefault(one.upper(), array("Q"))
            try:
                packed.append(_packed(two, start, end, indicator))
            except (ValueError, KeyError, OverflowError):
                reason = f"row {number}: a code, date or modifier is invalid"
                raise InvalidReference(reason) from None
        for code, unsorted in self._pairs.items():
            self._pairs[code] = array("Q", sorted(unsorted))

    @property
    def size(self) -> int:
        return sum(map(len, self._pairs.values()))

    def _among(self, codes: tuple[str, ...]) -> list[tuple[str, str, int]]:
        found = []
        for one, two in product(codes[:_MAX_CODES], repeat=2):
            packed = self._pairs.get(one)
            if packed is not None:
                number = _code_number(two)
                low, high = number << 34, (number + 1) << 34
                listed = packed[bisect_left(packed, low) : bisect_left(packed, high)]
                found += [(one, two, pair) for pair in listed]
        return found


def _is_short(codes: tuple[str, ...], _pairs: object) -> bool:
    return len(codes) <= _SMALL and all(len(code) == _CODE_LENGTH for code in codes)


def _packed(two: str, start: str, end: str, indicator: str) -> int:
    if len(two) != _CODE_LENGTH:
        raise ValueError
    return int(two, _BASE) << 34 | _terms(start, end, indicator)


@lru_cache(65_536)
def _terms(start: str, end: str, indicator: str) -> int:
    last = _NEVER if end == "*" else _published_day(end)
    return _published_day(start) << 18 | last << 2 | _INDICATORS[indicator]


@lru_cache(65_536)
def _code_number(code: str) -> int:
    """The code as a number; one that no pair has for what is no code."""
    if len(code) != _CODE_LENGTH or not (code.isascii() and code.isalnum()):
        return 1 << 29
    return int(code, _BASE)


def _published_day(text: str) -> int:
    """Days since the epoch of a date such as 20240401; 0 for any before, `_NEVER` after 2159."""
    return min(max(0, published_day(text).toordinal() - _EPOCH), _NEVER)


@lru_cache(65_536)
def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _EPOCH


def _found(pairs: CodePairs, lines: Lines, service_date: str | None) -> Iterator[tuple[str, str]]:
    """The pairs that are billed on one day although they may not be."""
    if not lines or len(lines) == 1:
        return
    codes = tuple(dict.fromkeys(filter(None, map(code_of, lines))))
    for one, two, packed in pairs.among(codes):
        indicator = packed & 3
        if one == two or indicator == _NOT_APPLICABLE:
            continue
        start, end = packed >> 18 & 0xFFFF, packed >> 2 & 0xFFFF
        ones = [line for line in lines if code_of(line) == one]
        for other in lines:
            day = day_of(other, service_date)
            if code_of(other) != two or day is None or not start <= _day(day) <= end:
                continue
            if any(
                day_of(line, service_date) == day
                and not (indicator == _ALLOWED and (_is_apart(line) or _is_apart(other)))
                for line in ones
            ):
                yield one, two
                break


def _is_apart(line: Line) -> bool:
    return not NCCI_MODIFIERS.isdisjoint(line.get("modifiers") or ())


def ptp_pair(pairs: CodePairs, lines: Lines, service_date: str | None) -> bool | None:
    """Whether two lines of a day may not be billed together; None without lines."""
    if not lines:
        return None
    return next(_found(pairs, lines, service_date), None) is not None


def _evidence(pairs: CodePairs, lines: Lines, service_date: str | None) -> str:
    found = list(_found(pairs, lines, service_date))
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{' with '.join(found[0])}{more}"


SIGNALS = {"ptp_pair": Signal(ptp_pair, (LINES, "service_date"), "ptp_edits", _evidence)}

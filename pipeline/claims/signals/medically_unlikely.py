"""Units of service beyond the medically unlikely: a table of CMS's NCCI, as its CSV file.

Source: CMS, NCCI Policy Manual, chapter I, section V; the tables of practitioners, outpatient
hospitals and DME suppliers have one layout.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

from pipeline.claims.signals.published_table import InvalidReference, rows
from pipeline.claims.signals.quality import exact
from pipeline.claims.signals.service_lines import LINES, Line, Lines, code_of, day_of, days_in
from pipeline.claims.signals.signal import Signal

_COLUMNS = {
    "HCPCS/CPT Code": r"hcpcs ?/ ?cpt code",
    "MUE Values": r".*mue values?",
    "MUE Adjudication Indicator": r".*mue adjudication indicator.*",
}
_LINE_EDIT = "1"
"""Adjudication indicator of a limit for each line; 2 and 3 limit the units of a day."""
_MAX_DIGITS = 9
_INDICATORS = (_LINE_EDIT, "2", "3")


class MedicallyUnlikely:
    """The limit of units of a procedure code."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.of_line: dict[str, int] = {}
        """Limits of one line, by code."""
        self.of_day: dict[str, int] = {}
        """Limits of all lines of a day, by code."""
        for number, (code, limit, indicator) in rows(lines, _COLUMNS):
            if not limit.isdecimal() or len(limit) > _MAX_DIGITS:
                raise InvalidReference(f"row {number}: the MUE value is not a whole number")
            if indicator[:1] not in _INDICATORS:
                raise InvalidReference(f"row {number}: the adjudication indicator is not 1, 2 or 3")
            by_code = self.of_line if indicator.startswith(_LINE_EDIT) else self.of_day
            by_code[code.upper()] = int(limit)

    @property
    def size(self) -> int:
        return len(self.of_line) + len(self.of_day)


def _units(line: Line, service_date: str | None) -> Decimal:
    """Units a day: those of a line over several days are spread over them (CMS, MUE FAQ)."""
    try:
        units = exact(line.get("units") or 0)
    except InvalidOperation:
        return Decimal(0)
    days = days_in(day_of(line, service_date), line.get("service_end_date"))
    return units if days == 1 else Decimal(round(units / days))


def _excesses(
    table: MedicallyUnlikely, lines: Lines, service_date: str | None
) -> Iterator[tuple[Decimal, int]]:
    """Units and limit of each line, and of each code and day, that has too many."""
    by_day: defaultdict[tuple[str, str | None], Decimal] = defaultdict(Decimal)
    for line in lines or ():
        code = code_of(line)
        if code is None:
            continue
        if code in table.of_day:
            key = (code, day_of(line, service_date))
            by_day[key] += _units(line, service_date)
        elif code in table.of_line:
            units = _units(line, service_date)
            if units > table.of_line[code]:
                yield units, table.of_line[code]
    for (code, _), units in by_day.items():
        if units > table.of_day[code]:
            yield units, table.of_day[code]


def mue_exceeded(table: MedicallyUnlikely, lines: Lines, service_date: str | None) -> bool | None:
    """Whether units of the claim exceed a limit; None without lines."""
    if not lines:
        return None
    return next(_excesses(table, lines, service_date), None) is not None


def _evidence(table: MedicallyUnlikely, lines: Lines, service_date: str | None) -> str:
    worst = max(_excesses(table, lines, service_date), key=lambda found: found[0] - found[1])
    return f"units {float(worst[0]):g}, limit {worst[1]}"


SIGNALS = {"mue_exceeded": Signal(mue_exceeded, (LINES, "service_date"), "mue_table", _evidence)}

"""Providers excluded from federal health programmes: the OIG's LEIE, `UPDATED.csv`.

A provider is matched by NPI alone. Most entries of the LEIE have none: those are not matched, and
need a search by name. Source: https://oig.hhs.gov/exclusions/ (42 USC 1320a-7).
"""

import sys
from collections.abc import Iterable
from functools import lru_cache

from pipeline.claims.signals.published_table import InvalidReference, day_of, rows
from pipeline.claims.signals.signal import Signal

_COLUMNS = {name: name.lower() for name in ("NPI", "EXCLTYPE", "EXCLDATE", "REINDATE")}
_NO_DATE = ("", "00000000")
_FOREVER = "9999-12-31"


class Exclusions:
    """Periods of exclusion by NPI."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._periods: dict[str, tuple[str, ...]] = {}
        self.size = 0
        """Entries of the list, those without an NPI included."""
        for number, (npi, basis, start, end) in rows(lines, _COLUMNS):
            self.size += 1
            if not npi.strip("0"):
                continue
            try:
                period = (
                    _iso(start),
                    _FOREVER if end in _NO_DATE else _iso(end),
                    sys.intern(basis),
                )
            except ValueError:
                raise InvalidReference(
                    f"row {number}: EXCLDATE or REINDATE is not a date"
                ) from None
            self._periods[npi] = self._periods.get(npi, ()) + period

    def on(self, npi: str | None, day: str) -> tuple[str, str] | None:
        """The first day and the legal basis of the exclusion in force on an ISO day."""
        periods = self._periods.get(npi) if npi is not None else None
        if periods is None:
            return None
        for start, end, basis in zip(periods[::3], periods[1::3], periods[2::3], strict=True):
            if start <= day < end:
                return start, basis
        return None


@lru_cache(65_536)
def _iso(text: str) -> str:
    return day_of(text).isoformat()


def _found(
    exclusions: Exclusions, service_date: str | None, npis: tuple[str | None, ...]
) -> tuple[str, str] | None:
    if service_date is None:
        return None
    return next(filter(None, (exclusions.on(npi, service_date) for npi in npis)), None)


def excluded_provider(
    exclusions: Exclusions, service_date: str | None, *npis: str | None
) -> bool | None:
    """Whether one of the NPIs was excluded on the day of service; None without day or NPI."""
    if service_date is None or not any(npis):
        return None
    return _found(exclusions, service_date, npis) is not None


def _evidence(exclusions: Exclusions, service_date: str | None, *npis: str | None) -> str:
    start, basis = _found(exclusions, service_date, npis) or ("", "")
    return f"excluded since {start}, basis {basis}"


SIGNALS = {
    "excluded_provider": Signal(
        excluded_provider,
        ("service_date", "billing_npi", "rendering_npi", "facility_npi"),
        "excluded_providers",
        _evidence,
    )
}

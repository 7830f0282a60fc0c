"""What a provider has billed lately, and where that stands among peers: BigQuery's work.

The file is the result of `sql/provider_profile.sql`, a row a provider. A worker holds about 170
bytes for each: the numbers packed, the ids as hashes.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import partial
from math import isinf, isnan, nan

from pipeline.claims.signals.published_table import InvalidReference, rows
from pipeline.claims.signals.signal import Signal

KEY = "provider_id"
MEASURES = (
    "amount_30d",
    "amount_90d",
    "claims_30d",
    "patients_90d",
    "claims_per_patient",
    "longest_stay_90d",
    "growth",
)
"""Of the provider alone; days are those before the profile's, by date of service."""
PERCENTILES = tuple(f"{measure}_percentile" for measure in MEASURES)
"""Where it stands among its peers, 0 to 1."""
NAMES = (*MEASURES, *PERCENTILES, "duplicate_share")
COLUMNS = (KEY, "as_of", *NAMES)


class ProviderProfiles:
    """The profile of each provider."""

    def __init__(self, lines: Iterable[str]) -> None:
        hashes, values, days = array("q"), array("d"), set()
        titles = {name: name for name in COLUMNS}
        for number, (provider, as_of, *cells) in rows(lines, titles, is_ours=True):
            days.add(as_of)
            hashes.append(hash(provider))
            try:
                numbers = [float(cell) if cell else nan for cell in cells]
                if any(map(isinf, numbers)):
                    raise ValueError
                values.extend(numbers)
            except ValueError:
                raise InvalidReference(
                    f"row {number}: contains a value that is not a number"
                ) from None
        if len(days) > 1:  # as in an export that is under way
            raise InvalidReference("as_of: the rows have different dates")
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        self._values = values
        self._rows = array("L", order)
        self._hashes = array("q", map(hashes.__getitem__, order))
        if any(map(int.__eq__, self._hashes, self._hashes[1:])):
            raise InvalidReference(f"{KEY}: a provider appears twice")

    @property
    def size(self) -> int:
        return len(self._hashes)

    def value(self, place: int, provider: str | None) -> float | None:
        """One number of a provider, by its place in `NAMES`; None without a profile."""
        key = hash(provider)
        at = bisect_left(self._hashes, key)
        if at == len(self._hashes) or self._hashes[at] != key:
            return None
        value = self._values[self._rows[at] * len(NAMES) + place]
        return None if isnan(value) else value


def _signal(place: int, profiles: ProviderProfiles, provider: str | None) -> float | None:
    return profiles.value(place, provider)


SIGNALS = {
    name: Signal(partial(_signal, place), (KEY,), "provider_profile")
    for place, name in enumerate(NAMES)
}

"""What claims are judged by where `pseudonymise` names fields."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.claims.judgement import Basis, BasisSource
from pipeline.claims.signals.provider_profile import KEY
from pipeline.privacy.named_fields import NamedFields

_PROFILES = "provider_profile"


class AdaptedBasis:
    """The basis of another source, adapted whenever that changes."""

    def __init__(self, source: BasisSource, adapt: Callable[[Basis], Basis]) -> None:
        self._source = source
        self._adapt = adapt
        self._found = source.now()
        self._adapted = adapt(self._found)

    def now(self) -> Basis:
        found = self._source.now()
        if found is not self._found:
            self._found, self._adapted = found, self._adapt(found)
        return self._adapted

    def take_counts(self) -> Mapping[str, int]:
        return self._source.take_counts()


class _ByPseudonym:
    """Profiles of a table that holds pseudonyms, looked up by clear ids."""

    def __init__(self, profiles: Any, named: NamedFields) -> None:
        self._profiles = profiles
        self._of = named.of

    def value(self, place: int, provider: str) -> float | None:
        found: float | None = self._profiles.value(place, self._of(KEY, provider))
        return found


def with_profiles_by_pseudonym(basis: Basis, named: NamedFields) -> Basis:
    """For claims in clear: where providers have pseudonyms, so do the profiles of the tables."""
    if KEY not in named.names or _PROFILES not in basis.lookups:
        return basis
    profiles = _ByPseudonym(basis.lookups[_PROFILES], named)
    return basis._replace(lookups={**basis.lookups, _PROFILES: profiles})

"""What claims are judged by where `pseudonymise` names fields."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.claims.judgement import Basis, BasisSource
from pipeline.claims.signals.provider_profile import KEY
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.pseudonymous_rows import rules_into, without

_PROFILES = "provider_profile"


class _ByPseudonym:
    """Profiles of a table that holds pseudonyms, looked up by clear ids."""

    def __init__(self, profiles: Any, named: NamedFields) -> None:
        self._profiles = profiles
        self._of = named.of

    def value(self, place: int, provider: str) -> float | None:
        """As of `ProviderProfiles`."""
        found: float | None = self._profiles.value(place, self._of(KEY, provider))
        return found


class OfOriginals:
    """Of claims in clear: all rules; profiles by pseudonym, where the tables have those."""

    def __init__(self, basis: BasisSource, named: NamedFields) -> None:
        self._source = basis
        self._named = named
        self._basis: Basis | None = None
        self._own: Basis = basis.now()

    def now(self) -> Basis:
        """The basis; the same object until it changes."""
        basis = self._source.now()
        if basis is not self._basis:
            self._basis = self._own = basis
            if KEY in self._named.names and _PROFILES in basis.lookups:
                profiles = _ByPseudonym(basis.lookups[_PROFILES], self._named)
                self._own = basis._replace(lookups={**basis.lookups, _PROFILES: profiles})
        return self._own

    def take_counts(self) -> Mapping[str, int]:
        """What happened to it since the last call."""
        return self._source.take_counts()


class OfReplays:
    """Of claims with pseudonyms: without the rules that would look into one."""

    def __init__(self, basis: BasisSource, names: tuple[str, ...]) -> None:
        self._source = basis
        self._names = names
        self._basis: Basis | None = None
        self._fit: Basis = basis.now()
        self._looked_into: list[str] = []

    def now(self) -> Basis:
        """The basis; the same object until it changes."""
        basis = self._source.now()
        if basis is not self._basis:
            unfit = rules_into(basis.rules, self._names)
            self._looked_into = sorted(frozenset[str]().union(*unfit.values()))
            self._fit = basis._replace(rules=without(basis.rules, unfit))
            self._basis = basis
        return self._fit

    def looked_into(self) -> list[str]:
        """The named fields that rules look into."""
        self.now()
        return self._looked_into

    def take_counts(self) -> Mapping[str, int]:
        """Counted once, with the originals."""
        return Counter()

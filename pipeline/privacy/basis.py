"""What claims are judged by where `pseudonymise` names fields."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipeline.claims.judgement import Basis, BasisSource
from pipeline.claims.rules import Rule, Rules, fields_read, parts_of
from pipeline.claims.signals.provider_profile import KEY
from pipeline.claims.signals.table import SIGNALS
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


def rules_into(rules: Rules, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """The rules that look into these fields, and into which; to ask whether one is null is not."""
    found = {rule.id: _looks_into(rule) & set(names) for rule in (*rules.risk, *rules.quality)}
    return {rule: fields for rule, fields in found.items() if fields}


def _looks_into(rule: Rule) -> frozenset[str]:
    read = fields_read(rule.when) or frozenset()
    parts = parts_of(rule.when)
    if parts is not None:
        read = frozenset(
            name
            for name, schema in parts.items()
            if not (isinstance(schema, dict) and schema.keys() <= {"type"})
        )
    return frozenset[str]().union(*map(_fields_behind, read))


def _fields_behind(name: str) -> frozenset[str]:
    """The fields that a signal is derived from, or the field itself."""
    if name not in SIGNALS:
        return frozenset([name])
    return frozenset[str]().union(*map(_fields_behind, SIGNALS[name].reads))


def without(rules: Rules, ids: Iterable[str]) -> Rules:
    left_out = set(ids)
    document = json.loads(rules.text)
    for section in ("risk_rules", "quality_rules"):
        document[section] = [rule for rule in document[section] if rule["id"] not in left_out]
    return Rules(json.dumps(document))

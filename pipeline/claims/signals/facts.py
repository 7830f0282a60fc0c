"""The facts that rules see: claims with the signals that rules read.

Signals of one provider need no column: what the rules say of them is found once for each provider,
and remembered by its id.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial, reduce
from itertools import repeat
from operator import and_
from typing import Any

from pipeline.claims.columns import Columns, are_empty, empty
from pipeline.claims.signals.signal import Signal
from pipeline.claims.signals.table import SIGNALS
from pipeline.claims.verdicts import Schema, ValueVerdicts

_NOT_NULL = ["string", "number", "boolean", "array", "object"]
_TYPED = frozenset(("type", "const", "enum"))


class KeyedVerdicts(ValueVerdicts):
    """Verdicts on all signals that are looked up by one field, by the value of that field."""

    def __init__(self, signals: list[tuple[Callable[[Any], Any], ValueVerdicts]]) -> None:
        super().__init__([], 0)
        self._signals = signals

    def judge(self, value: Any) -> int:
        return reduce(and_, (verdicts.judge(of(value)) for of, verdicts in self._signals))


class Facts:
    """Makes the signals that are needed, with the look-ups that there are."""

    def __init__(self, lookups: Mapping[str, Any]) -> None:
        """`lookups` are the reference files, by the names of their launch parameters."""
        self._lookups = lookups
        self._needed: dict[str, Signal] = {}

    def has(self, names: Iterable[str]) -> bool:
        """Whether the sources of all these fields and signals are there."""
        return all(
            name not in SIGNALS
            or (SIGNALS[name].source in (None, *self._lookups) and self.has(SIGNALS[name].reads))
            for name in names
        )

    def need(self, names: Collection[str]) -> None:
        """Have `of` make these signals, and what they are made of."""
        for name in sorted(names):
            if name in SIGNALS and name not in self._needed:
                self.need(SIGNALS[name].reads)
                self._needed[name] = SIGNALS[name]

    def of(self, claims: Columns) -> dict[str, Any]:
        """The claims with the needed signals, by column."""
        facts = dict(claims)
        absent = empty(len(next(iter(claims.values()))))
        for name, signal in self._needed.items():
            needed = signal.only_with
            if needed is not None and are_empty(facts.get(needed) or absent):
                facts[name] = absent
                continue
            facts[name] = list(map(signal.of, *self._arguments(signal, facts)))
        return facts

    def value(self, name: str, facts: Columns, place: int) -> Any:
        """A field or signal of the claim at a place."""
        if name in facts:
            return facts[name][place]
        signal = SIGNALS.get(name)
        return None if signal is None else signal.of(*self._arguments_at(signal, facts, place))

    def evidence(self, name: str, facts: Columns, place: int) -> str | None:
        """What a signal has to show of the claim at a place, if more than its value."""
        signal = SIGNALS[name]
        # Another part of the rule may have fired, or the rule be one that asks for the opposite.
        if signal.evidence is None or not self.value(name, facts, place):
            return None
        return signal.evidence(*self._arguments_at(signal, facts, place))

    def by_key(self, verdicts: Mapping[str, ValueVerdicts]) -> dict[str, ValueVerdicts]:
        """Verdicts by field, where those of signals that are looked up by a field are one."""
        left = dict(verdicts)
        keyed: dict[str, list[tuple[Callable[[Any], Any], ValueVerdicts]]] = {}
        for name in verdicts:
            signal = SIGNALS.get(name)
            if signal is not None and signal.source is not None and len(signal.reads) == 1:
                look_up = partial(signal.of, self._lookups[signal.source])
                keyed.setdefault(signal.reads[0], []).append((look_up, left.pop(name)))
        for key, signals in keyed.items():
            if key in left:
                signals.append((lambda value: value, left.pop(key)))
            left[key] = KeyedVerdicts(signals)
        return left

    def _arguments(self, signal: Signal, facts: Columns) -> Iterator[Iterable[Any]]:
        size = len(next(iter(facts.values())))
        if signal.source is not None:
            yield repeat(self._lookups[signal.source], size)
        for field in signal.reads:
            yield facts.get(field) or repeat(None, size)

    def _arguments_at(self, signal: Signal, facts: Columns, place: int) -> Iterator[Any]:
        if signal.source is not None:
            yield self._lookups[signal.source]
        for field in signal.reads:
            yield self.value(field, facts, place)


class GivenFacts(Facts):
    """Every signal there is, as columns that somebody else has made: rules are checked on these."""

    def has(self, names: Iterable[str]) -> bool:
        return True

    def need(self, names: Collection[str]) -> None:
        """They are given."""

    def by_key(self, verdicts: Mapping[str, ValueVerdicts]) -> dict[str, ValueVerdicts]:
        return dict(verdicts)


def not_null(schema: Schema, field: str) -> Schema:
    """A condition on a field. On a signal that is looked up, null meets no limit.

    In JSON Schema alone, null would pass every limit, and a provider without a profile fire rules.
    """
    is_looked_up = field in SIGNALS and SIGNALS[field].source is not None
    if not is_looked_up or not isinstance(schema, dict) or _TYPED & schema.keys():
        return schema
    return {"type": _NOT_NULL, **schema}

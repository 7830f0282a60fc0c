"""What the conditions of rules say of the value of one field, remembered.

A set of rules is a bit mask: bit i stands for rule i. `jsonschema-rs` decides on each value, or on
one of each interval of numbers, once; most values of a claim are codes, dates and nulls, and come
again and again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from operator import add
from typing import Any

import jsonschema_rs

from pipeline.claims.columns import are_empty
from pipeline.claims.memory import Memory

Condition = Callable[[Any], bool]
Schema = dict[str, Any] | bool

_REMEMBERED = 8_192
"""Values whose verdicts are kept."""
_SMALL = 64
"""Characters of a text and items of a list that are remembered."""
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def condition(schema: Schema) -> Condition:
    """Whether a value matches a schema.

    Raises:
        ValueError: the schema does not compile.
    """
    return jsonschema_rs.Draft202012Validator(schema, offline=True).is_valid


class ValueVerdicts(Memory[Any, int]):
    """Verdicts on one field by its value; a list is looked up as a tuple."""

    def __init__(self, conditions: list[tuple[int, Condition]], indifferent: int) -> None:
        """`indifferent` is the mask of the rules that do not read the field."""
        super().__init__(self.judge, _REMEMBERED, _is_small)
        self._conditions = conditions
        self._indifferent = indifferent

    def of_all(self, values: Sequence[Any]) -> int | None:
        """The verdict on all values, where they are the same; else None."""
        first = values[0]
        # In JSON, 1 and true differ, but not to Python: only in objects may both stand in a column.
        if are_empty(values) or (values.count(first) == len(values) and not _has_objects(first)):
            return self._on_any(first)
        return None

    def on(self, values: Sequence[Any]) -> Iterable[int]:
        """The verdict on each value."""
        try:
            if type(values[0]) is list and set(map(type, values)) == {list}:
                return list(map(self.__getitem__, map(tuple, values)))
            return list(map(self.__getitem__, values))
        except TypeError:  # an object, or only some are lists
            return map(self._on_any, values)

    def _on_any(self, value: Any) -> int:
        try:
            return self[tuple(value) if type(value) is list else value]
        except TypeError:  # a JSON object cannot be remembered
            return self.judge(value)

    def judge(self, value: Any) -> int:
        """The mask of the rules that this value allows to fire."""
        met = (bit for bit, is_met in self._conditions if is_met(value))
        return self._indifferent | sum(met)


def _is_small(value: Any, _verdict: int = 0) -> bool:
    if isinstance(value, tuple):
        return len(value) <= _SMALL and all(map(_is_small, value))
    return len(value) <= _SMALL if isinstance(value, str) else not isinstance(value, Decimal)


def _has_objects(value: Any) -> bool:
    return type(value) is dict or (type(value) is list and dict in map(type, value))


class IntervalVerdicts(ValueVerdicts):
    """Verdicts on one field of numbers that rules only compare with bounds.

    All numbers between two neighbouring bounds get the same verdict, and so does each bound.
    """

    def __init__(
        self, conditions: list[tuple[int, Condition]], indifferent: int, bounds: list[float]
    ) -> None:
        super().__init__(conditions, indifferent)
        self._bounds = bounds
        self._by_place: dict[int, int] = {}

    def on(self, values: Sequence[Any]) -> Iterable[int]:
        bounds = repeat(self._bounds)
        try:
            below = map(bisect_left, bounds, values)
            # Even between two bounds, odd on one.
            places = list(map(add, below, map(bisect_right, bounds, values)))
        except TypeError:  # a null
            return super().on(values)
        if not self._by_place.keys() >= set(places):
            for place, value in zip(places, values, strict=True):
                self._by_place.setdefault(place, self.judge(value))
        return map(self._by_place.__getitem__, places)


class TypeVerdicts(ValueVerdicts):
    """Verdicts on one field of which rules only ask the type."""

    def of_all(self, values: Sequence[Any]) -> int | None:
        return self._on_any(None) if are_empty(values) else None

    def on(self, values: Sequence[Any]) -> Iterable[int]:
        types = list(map(type, values))
        if not self.keys() >= set(types):
            for its_type, value in zip(types, values, strict=True):
                self.setdefault(its_type, self.judge(value))
        return map(self.__getitem__, types)


def verdicts(conditions: Mapping[int, Schema], indifferent: int) -> ValueVerdicts:
    """Verdicts of the conditions on one field, by their bits, in the cheapest way there is."""
    compiled = [(bit, condition(schema)) for bit, schema in conditions.items()]
    schemas = list(conditions.values())
    if _ask_types(schemas):
        return TypeVerdicts(compiled, indifferent)
    bounds = bounds_of(schemas)
    if bounds is None:
        return ValueVerdicts(compiled, indifferent)
    return IntervalVerdicts(compiled, indifferent, bounds)


def _ask_types(schemas: list[Schema]) -> bool:
    """Whether schemas only ask for types that a Python type tells: 45.0 is an integer, 45.5 not."""
    return all(
        isinstance(schema, dict) and schema.keys() == {"type"} and "integer" not in schema["type"]
        for schema in schemas
    )


def bounds_of(schemas: list[Schema]) -> list[float] | None:
    """The bounds in the schemas of one field, sorted; None if they ask for anything else."""
    bounds = set()
    for schema in schemas:
        if isinstance(schema, bool):
            return None
        for keyword, argument in schema.items():
            if keyword in BOUNDS:
                bounds.add(argument)
            elif keyword != "type" or "integer" in argument:  # 45 and 45.5 differ there
                return None
    return sorted(bounds) or None

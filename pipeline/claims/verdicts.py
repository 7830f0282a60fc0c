"""What the conditions of rules say of the value of one field, remembered.

A set of rules is a bit mask: bit i stands for rule i. `jsonschema-rs` decides on each value, or on
one of each interval of numbers, once; most values of a claim are codes, dates and nulls, and come
again and again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

import jsonschema_rs

Condition = Callable[[Any], bool]
Schema = dict[str, Any] | bool

_REMEMBERED = 8_192
"""Values whose verdicts are kept."""
_SMALL = 64
"""Characters of a text and items of a list that are remembered."""
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def condition(schema: Schema) -> Condition:
    """Whether a value matches a schema.

    Raises:
        ValueError: the schema does not compile.
    """
    return jsonschema_rs.Draft202012Validator(schema, offline=True).is_valid


class ValueVerdicts(dict[Any, int]):
    """Verdicts on one field by its value; a list is looked up as a tuple."""

    def __init__(self, conditions: list[tuple[int, Condition]], indifferent: int) -> None:
        """`indifferent` is the mask of the rules that do not read the field."""
        super().__init__()
        self._conditions = conditions
        self._indifferent = indifferent

    def __missing__(self, value: Any) -> int:
        verdict = self.judge(value)
        if _is_small(value):
            if len(self) >= _REMEMBERED:
                self.clear()
            self[value] = verdict
        return verdict

    def judge(self, value: Any) -> int:
        """The mask of the rules that this value allows to fire."""
        met = (bit for bit, is_met in self._conditions if is_met(value))
        return self._indifferent | sum(met)


def _is_small(value: Any) -> bool:
    """Whether a value may be remembered: a text of megabytes would fill the worker."""
    if isinstance(value, tuple):
        return len(value) <= _SMALL and all(map(_is_small, value))
    return not isinstance(value, str) or len(value) <= _SMALL


class IntervalVerdicts:
    """Verdicts on one field of numbers that rules only compare with bounds.

    All numbers between two neighbouring bounds get the same verdict, and so does each bound.
    """

    def __init__(self, bounds: list[float], by_value: ValueVerdicts) -> None:
        self._bounds = bounds
        self.judge = by_value.judge
        self._verdicts: dict[int | None, int] = {}

    def __getitem__(self, value: Any) -> int:
        bounds = self._bounds
        # Even between two bounds, odd on one.
        place = None if value is None else bisect_left(bounds, value) + bisect_right(bounds, value)
        verdict = self._verdicts.get(place)
        if verdict is None:
            self._verdicts[place] = verdict = self.judge(value)
        return verdict


def bounds_of(schemas: list[Schema]) -> list[float] | None:
    """The bounds in the schemas of one field, sorted; None if they ask for anything else."""
    bounds = set()
    for schema in schemas:
        if isinstance(schema, bool):
            return None
        for keyword, argument in schema.items():
            if keyword in _BOUNDS:
                bounds.add(argument)
            elif keyword != "type" or "integer" in argument:  # 45 and 45.5 differ there
                return None
    return sorted(bounds) or None

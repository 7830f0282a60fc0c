"""What an auditor sees next to a reason: only signal values and rule limits."""

from functools import partial
from typing import Any

from pipeline.claims.columns import Columns
from pipeline.claims.memory import Memory, always_fits
from pipeline.claims.signals.facts import Facts
from pipeline.claims.signals.table import SIGNALS

_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
}
"""By keyword: what a condition asks of a value."""
_REMEMBERED = 4_096
"""Values of a signal whose texts are kept."""


def limits(when: Any) -> dict[str, list[str]]:
    """The bounds that a condition sets, by the fields that it reads, wherever they stand in it."""
    found: dict[str, list[str]] = {}
    parts = when if isinstance(when, list) else []
    if isinstance(when, dict):
        for field, schema in when.get("properties", {}).items():
            bounds = schema if isinstance(schema, dict) else {}
            found[field] = [
                _limit(name, bound) for name, bound in bounds.items() if name in _LIMITS
            ]
        parts = [part for keyword, part in when.items() if keyword not in ("properties", "not")]
    for part in parts:
        for field, texts in limits(part).items():
            found[field] = [*found.get(field, ()), *texts]
    return found


def _limit(keyword: str, bound: float) -> str:
    text = _LIMITS[keyword].format(_text(bound))
    return text.removesuffix("s") if bound == 1 else text


class Evidence:
    """The evidence of one rule."""

    def __init__(self, when: Any, facts: Facts) -> None:
        """`when` is the condition of a rule whose sources are all there."""
        self._facts = facts
        self._texts = {
            field: Memory(partial(_of_value, field, bounds), _REMEMBERED, always_fits).__getitem__
            for field, bounds in limits(when).items()
        }
        self.constant: str | None = None
        """The evidence where it is the same on every claim: the rule reads no signal."""
        if SIGNALS.keys().isdisjoint(self._texts):
            self.constant = self.of({}, 0)

    def of(self, facts: Columns, place: int) -> str:
        return "; ".join([self._of_field(field, facts, place) for field in self._texts])

    def _of_field(self, field: str, facts: Columns, place: int) -> str:
        if field not in SIGNALS:  # its value is in a column of its own, perhaps as a pseudonym
            return self._texts[field](None)
        if shown := self._facts.evidence(field, facts, place):
            return shown
        value = self._facts.value(field, facts, place)
        # What lines have in a field is in the column of the lines, perhaps as pseudonyms.
        return self._texts[field](None if type(value) is list else value)


def _of_value(field: str, bounds: list[str], value: Any) -> str:
    shown = field if value is None else f"{field} {_text(value)}"
    return ", ".join((shown, *bounds))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{round(float(value), 3) + 0.0:.12g}"  # zero has no sign

"""What an auditor sees beside a reason: values of signals and limits of rules, nothing else."""

from collections.abc import Sequence
from typing import Any

from pipeline.claims.columns import Columns
from pipeline.claims.signals.facts import Facts
from pipeline.claims.signals.table import SIGNALS
from pipeline.claims.verdicts import BOUNDS


def limits(when: Any) -> dict[str, list[str]]:
    """The bounds that a condition sets, by field, wherever in it they stand."""
    found: dict[str, list[str]] = {}
    parts = when if isinstance(when, list) else []
    if isinstance(when, dict):
        for field, schema in when.get("properties", {}).items():
            bounds = schema if isinstance(schema, dict) else {}
            found[field] = [_text(bound) for name, bound in bounds.items() if name in BOUNDS]
        parts = [part for keyword, part in when.items() if keyword != "properties"]
    for part in parts:
        for field, texts in limits(part).items():
            found[field] = [*found.get(field, ()), *texts]
    return found


class Evidence:
    """The evidence of one rule."""

    def __init__(self, when: Any, facts: Facts) -> None:
        """`when` is the condition of a rule whose sources are all there."""
        self._facts = facts
        self._limits = {
            field: f", limit {' to '.join(bounds)}" if bounds else ""
            for field, bounds in limits(when).items()
        }
        self.is_constant = SIGNALS.keys().isdisjoint(self._limits)
        """Whether it is the same on every claim: the rule reads no signal."""

    def of(self, facts: Columns, place: int) -> str:
        """The evidence on the claim at a place."""
        return "; ".join(self._of_field(field, facts, place) for field in self._limits)

    def _of_field(self, field: str, facts: Columns, place: int) -> str:
        if field not in SIGNALS:  # its value is in a column of its own, perhaps as a pseudonym
            return f"{field}{self._limits[field]}"
        shown = self._facts.evidence(field, facts, place)
        if shown is not None:
            return shown
        return f"{field} {_text(self._facts.value(field, facts, place))}{self._limits[field]}"


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Sequence):
        return str(len(value))
    return f"{round(float(value), 3):.12g}"

"""The facts of one claim."""

from typing import Any

from pipeline.claims.signals.facts import Facts
from pipeline.claims.signals.table import SIGNALS

OF_THE_CLAIM = sorted(name for name, signal in SIGNALS.items() if signal.source is None)
"""Signals that need no reference file."""


def facts_of(claim: dict[str, Any]) -> dict[str, Any]:
    """One claim with the signals that need no reference file."""
    facts = Facts({})
    facts.need(OF_THE_CLAIM)
    columns = facts.of({name: [value] for name, value in claim.items()})
    return {name: values[0] for name, values in columns.items()}

"""A rejection: why a message did not become a claim row."""

from typing import NamedTuple


class Violation(NamedTuple):
    """One rule that one field breaks. Free of values: a claim is health data."""

    field: str
    """Path of the field, as `diagnosis_codes[]`; empty for the message as a whole."""
    rule: str
    """The JSON Schema keyword, or the name of our own rule."""
    message: str
    """What the rule asks, in words: `above the maximum of 1000000`."""


class Rejection(NamedTuple):
    """The verdict on one message that goes to the error table."""

    stage: str
    """The step that rejected it: parse, validate, enrich or write."""
    error_code: str
    """Stable name of the cause, for GROUP BY, alerts and replay filters."""
    error: str
    """One line for people, of few distinct texts and free of values."""
    violations: tuple[Violation, ...] = ()
    claim_id: str | None = None

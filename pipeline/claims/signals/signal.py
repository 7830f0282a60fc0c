"""What a signal is."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Signal(NamedTuple):
    """A fact about a claim."""

    of: Callable[..., Any]
    """A pure function of the values of the fields in `reads`, None where a claim lacks one. With a
    `source`, its look-up is the first argument."""
    reads: tuple[str, ...]
    """Fields of the claim, or signals before it."""
    source: str | None = None
    """The reference file it is looked up in, by the name of the launch parameter. Without that
    file the signal is null, and rules that test it do not fire."""
    evidence: Callable[..., str] | None = None
    """What an auditor wants to see of a signal that is true; takes what `of` takes.
    It holds values of the signal and of the reference file, and no identifier of the claim."""
    only_with: str | None = None
    """The field without which it is null: no claim of a batch needs it then."""

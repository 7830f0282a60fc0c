"""What claims are judged by at a moment: rules, and what signals are looked up in."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from pipeline.claims.score import Rules


class Basis(NamedTuple):
    """Never changed: another one takes its place."""

    rules: Rules
    lookups: Mapping[str, Any] = {}
    """By the name of the reference file; a file that is not there is not in it."""
    versions: tuple[str, ...] = ()
    """`name=version` of each reference file in use, the rules file included."""


class BasisSource(Protocol):
    """Has the basis of each moment."""

    def now(self) -> Basis:
        """The basis; the same object until it changes."""

    def take_counts(self) -> Mapping[str, int]:
        """What happened to it since the last call, by the names of metrics."""


class Unchanging:
    """The rules of a launch, without any reference file."""

    def __init__(self, rules: Rules, lookups: Mapping[str, Any] | None = None) -> None:
        self._basis = Basis(rules, lookups or {})

    def now(self) -> Basis:
        """Always the same."""
        return self._basis

    def take_counts(self) -> Mapping[str, int]:
        """Nothing happens to it."""
        return Counter()

"""What claims are judged by at a moment: rules, and what signals are looked up in."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipeline.claims.score import Rules


class Basis(NamedTuple):
    """Never changed: another one takes its place."""

    rules: Rules
    lookups: Mapping[str, Any] = {}
    """By the name of the reference file; a file that is not there is not in it."""
    versions: tuple[str, ...] = ()
    """`name=version` of each reference file in use, the rules file included."""


def unchanging(rules: Rules) -> Callable[[], Basis]:
    """The rules of a launch, without any reference file."""
    basis = Basis(rules)
    return lambda: basis

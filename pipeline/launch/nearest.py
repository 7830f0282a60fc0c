"""Finds the name that a mistyped one probably meant."""

import difflib
import re
from collections.abc import Iterable

_LIKENESS = 0.6
"""How similar a name must be to be suggested, 0 to 1."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most similar to another one; None if none is similar enough."""
    by_plain: dict[str, str] = {}
    for each in known:
        by_plain.setdefault(_plain(each), each)
    found = difflib.get_close_matches(_plain(word), by_plain, n=1, cutoff=_LIKENESS)
    return by_plain[found[0]] if found else None


def meant(word: str, known: Iterable[str], dashes: str = "") -> str:
    """The end of an error about a word: the one that was probably meant, or nothing."""
    near = nearest(word, known)
    return f"; did you mean {dashes}{near}?" if near else ""


def _plain(word: str) -> str:
    return re.sub(r"[\s-]+", "_", word.strip().lower())

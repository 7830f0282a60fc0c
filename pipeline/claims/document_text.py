"""The text of a document that an operator brings, read strictly: what JSON leaves open is refused.

A claim schema and rules decide on money; a duplicate key, a number that no schema can mean or
endless nesting is a mistake that a lenient reader would resolve silently.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

MAX_LEVELS = 64
"""Objects and arrays within each other; the validators that compile a document are recursive."""
MAX_BYTES = 1_000_000
"""Of a document, which each step of a job carries; Dataflow takes 20 MB for a whole job."""
MAX_VERSION = 100
"""Characters of a document's version, which each row of the tables bears."""
_SHOWN_STEPS = 6
_VERSIONS = (str, int, float, Decimal)
_SURROGATE = re.compile("[\ud800-\udfff]")


class DocumentError(ValueError):
    """A document that cannot be used, with the place in it and the reason."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


class _Repeating(dict[str, Any]):
    """An object with a duplicate key."""

    key: str


def load(text: str, parse_float: Callable[[str], Any] = float) -> Any:
    """The document as Python values.

    Raises:
        DocumentError: it is no JSON, too large or nested too deeply, or a key stands twice in one
            object.
    """
    if len(text.encode()) > MAX_BYTES:
        raise DocumentError("", f"larger than {MAX_BYTES:,} bytes")
    try:
        document = json.loads(text, parse_float=parse_float, object_pairs_hook=_object)
    except ArithmeticError:  # of Decimal, which names itself alone
        raise DocumentError("", "not JSON: the exponent of a number is too large") from None
    except (ValueError, RecursionError) as error:
        raise DocumentError("", f"not JSON: {error}") from None
    _check(document)
    return document


def version_of(document: Mapping[str, Any], key: str) -> str:
    """The version that a document gives itself.

    Raises:
        DocumentError: it is no short text on one line.
    """
    version = str(value) if isinstance(value := document.get(key, ""), _VERSIONS) else None
    if version is None or len(version) > MAX_VERSION or not version.isprintable():
        raise DocumentError(key, f"must be one line of at most {MAX_VERSION} characters")
    return version


def place_of(steps: Iterable[str | int], prefix: str = "") -> str:
    """A place as text, `properties.notes.maxLength`; of a deep one its beginning."""
    shown = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
    if len(shown) > 2 * _SHOWN_STEPS:
        shown[_SHOWN_STEPS:] = [" ..."]
    place = "".join(shown).removeprefix(".")
    return f"{prefix}.{place}".strip(".") if prefix else place


def _is_a_double(number: int | float | Decimal) -> bool:
    try:
        return isfinite(float(number))
    except OverflowError:  # of an integer
        return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeating, seen = _Repeating(found), set[str]()
    for key, _ in pairs:
        if key in seen:
            repeating.key = key
            return repeating
        seen.add(key)
    raise AssertionError("no duplicate key")


def _check(document: Any) -> None:
    """Walk from the top, without recursion, so that the outermost mistake is named."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    for path, value in waiting:
        if isinstance(value, _Repeating):
            raise DocumentError(place_of((*path, value.key)), "duplicate key")
        if isinstance(value, int | float | Decimal) and not _is_a_double(value):
            raise DocumentError(place_of(path), "not a finite number that a double can hold")
        for text in (value, *path[-1:]):
            if isinstance(text, str) and _SURROGATE.search(text):
                raise DocumentError(place_of(path[:-1]), "contains a lone surrogate")
        inner: Iterable[tuple[str | int, Any]] = ()
        if isinstance(value, dict):
            inner = value.items()
        elif isinstance(value, list):
            inner = enumerate(value)
        if inner and len(path) >= MAX_LEVELS:
            raise DocumentError(place_of(path), f"nested deeper than {MAX_LEVELS} levels")
        waiting += [((*path, step), each) for step, each in inner]

"""What the schemas of a document may cost a claim: bounded at launch, before a worker pays it.

A schema of a few lines can keep a worker busy for seconds, by references that branch at each level
or by a pattern that backtracks. The first is counted, without running anything; the second is timed
on sample texts that grow step by step, so that the check itself stays short.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from pipeline.claims.document_text import DocumentError, place_of

MAX_CHECKS = 100_000
"""Schemas that one value may be checked against; each takes some 20 ns."""
_NUMBER_CHECKS = 10
"""Schemas that a number of an `enum` counts for: a fraction is compared with one after the other,
about 1 us each, where text is looked up."""
MAX_MILLISECONDS = 2
"""CPU of a pattern on one sample text. A whole ordinary claim takes 0.002."""
_SIZES = (8, 12, 16, 20, 24, 32, 64, 256, 4_096)
"""Characters of the sample texts. By 24 a pattern that backtracks takes 10 ms, at which the
engine gives up and calls the text unfit."""
_LETTERS_TRIED = 20
_TRIES = 3
_BACKREFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9k]")

Path = tuple[str | int, ...]


def check_patterns(schema: Any, prefix: str = "") -> None:
    """Refuse patterns that the deciding engine does not take, or that backtrack.

    JSON Schema's patterns are those of ECMA-262: what `jsonschema-rs` compiles is one.

    Raises:
        DocumentError: names the place.
    """
    for path, pattern in _patterns(schema):
        place = f"{prefix}.{place_of(path)}".strip(".")
        if _BACKREFERENCE.search(pattern):
            raise DocumentError(
                place,
                "backreferences (\\1, \\k) are not allowed, because they"
                " can take seconds per claim",
            )
        try:
            is_match = jsonschema_rs.Draft202012Validator({"pattern": pattern}).is_valid
        except ValueError:
            raise DocumentError(
                place, "not a valid ECMA-262 regular expression, or too large"
            ) from None
        letters = sorted({*re.findall(r"[\w .,-]", pattern), "a", "1", " "})
        for letter in letters[:_LETTERS_TRIED]:
            _time(is_match, (letter * size + "\n!" for size in _SIZES), place)


def check_breadth(document: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse a document whose references branch into more schemas than a claim may meet.

    Raises:
        DocumentError: names the place of the branching reference.
    """
    total, place = _Breadth(document).of(document, ())
    if total > MAX_CHECKS:
        raise DocumentError(
            f"{prefix}.{place_of(place)}".strip("."),
            f"would check a claim against more than {MAX_CHECKS:,} schemas (each number in an enum"
            f" counts as {_NUMBER_CHECKS})",
        )


class _Breadth:
    """Counts the schemas that a value is checked against, through references, each once a way."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._anchors = {
            f"#{schema[keyword]}": schema
            for _, schema in _schemas(document)
            for keyword in ("$anchor", "$dynamicAnchor")
            if keyword in schema
        }
        self._ids = {schema["$id"]: schema for _, schema in _schemas(document) if "$id" in schema}
        self._known: dict[int, int] = {}

    def of(self, schema: Any, path: Path) -> tuple[int, Path]:
        """How many, and the first place below which there are too many."""
        if not isinstance(schema, Mapping):
            return 1, path
        if id(schema) in self._known:
            return self._known[id(schema)], path
        self._known[id(schema)] = 1  # a way back to it ends here: the engine remembers these
        numbers = sum(type(value) is not str for value in schema.get("enum", ()))
        total, place = 1 + _NUMBER_CHECKS * numbers, path
        for step, inner in [*_below(schema), *self._targets(schema)]:
            count, below = self.of(inner, (*path, *step))
            total += count
            if count > MAX_CHECKS:
                place = below
                break
        self._known[id(schema)] = min(total, 2 * MAX_CHECKS)
        return total, place

    def _targets(self, schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
        for keyword in ("$ref", "$dynamicRef"):
            reference = schema.get(keyword)
            if isinstance(reference, str):
                yield (keyword,), self._target(reference)

    def _target(self, reference: str) -> Any:
        resource, _, fragment = reference.partition("#")
        root: Any = self._ids.get(resource, self._document) if resource else self._document
        if not fragment.startswith("/"):
            return self._anchors.get(f"#{fragment}", root) if fragment else root
        for step in fragment[1:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(root, list):
                root = root[int(key)] if key.isdigit() and int(key) < len(root) else None
            else:
                root = root.get(key) if isinstance(root, Mapping) else None
        return root


def _schemas(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each schema in a document, with its place."""
    if isinstance(schema, Mapping):
        yield path, schema
        defined = (*_named(schema, "$defs"), *_named(schema, "definitions"))
        for step, inner in (*_below(schema), *defined):
            yield from _schemas(inner, (*path, *step))


def _below(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The schemas that a schema applies, itself."""
    for keyword in ("properties", "patternProperties", "dependentSchemas"):
        yield from _named(schema, keyword)
    for keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for place, inner in enumerate(schema.get(keyword, ())):
            yield (keyword, place), inner
    for keyword in _SINGLE:
        if keyword in schema:
            yield (keyword,), schema[keyword]


_SINGLE = (
    *("not", "if", "then", "else", "items", "contains", "propertyNames"),
    *("additionalProperties", "unevaluatedProperties", "unevaluatedItems"),
)


def _named(schema: Mapping[str, Any], keyword: str) -> Iterator[tuple[Path, Any]]:
    for name, inner in schema.get(keyword, {}).items():
        yield (keyword, name), inner


def _patterns(schema: Any) -> Iterator[tuple[Path, str]]:
    for path, each in _schemas(schema):
        if "pattern" in each:
            yield (*path, "pattern"), each["pattern"]
        for pattern in each.get("patternProperties", ()):
            yield (*path, "patternProperties", pattern), pattern


def _time(check: Callable[[Any], bool], texts: Iterable[str], place: str) -> None:
    """Check texts, each longer than the one before, until one takes too long."""
    for text in texts:
        for _ in range(_TRIES):  # something else may have had the processor
            before = time.thread_time()
            check(text)
            if time.thread_time() - before <= MAX_MILLISECONDS / 1000:
                break
        else:
            raise DocumentError(place, f"takes more than {MAX_MILLISECONDS} ms to check one string")

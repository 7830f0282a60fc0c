"""What the schemas of a document may cost a claim: bounded at launch, before a worker pays it.

A schema of a few lines can keep a worker busy for seconds, by references that branch at each level
or by a pattern that backtracks. The first is counted, without running anything; the second is timed
on sample texts that grow step by step, so that the check itself stays short.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import jsonschema_rs
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from pipeline.claims.document_text import DocumentError, place_of

MAX_CHECKS = 100_000
"""Schemas that one value may be checked against; each takes some 20 ns."""
_NUMBER_CHECKS = 10
"""Schemas that a number of an `enum` counts for, and each part of an array or object in it: they
are compared with one after the other, up to 1 us each, where text is looked up."""
_UNEVALUATED_CHECKS = 3
"""How often the schemas below `unevaluatedProperties` or `unevaluatedItems` are checked: the engine
asks them once more which properties they know, and those below them at each level again."""
MAX_MILLISECONDS = 2
"""CPU of a pattern on one sample text. A whole ordinary claim takes 0.002."""
_SIZES = (8, 12, 16, 20, 24, 32, 64, 256, 4_096)
"""Characters of the sample texts. By 24 a pattern that backtracks takes 10 ms, at which the
engine gives up and calls the text unfit."""
_LETTERS_TRIED = 20
_ENDS_TRIED = 3
_REPETITIONS_TRIED = 10
_END = "\n!"
_OTHERS = "a1 A-_.,;:/@#%&=+~'\"\u00e9\u03b1\u044f\u6f22"
"""Characters of many kinds: most classes contain at least one of them."""
_ATOM = re.compile(
    r"\\(?:[pP]\{[^}]*\}|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]+\}|u[0-9A-Fa-f]{4}|.)"
    r"|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<\w+>))?|\{[0-9]+,?[0-9]*\}|.",
    re.DOTALL,
)
"""Parts of a pattern: an escape, a class, the beginning of a group, a repetition, a character."""
_ZERO_WIDTH = ("^", "$", r"\b", r"\B")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REPETITION = re.compile(r"[*+?]|\{([0-9]+),?[0-9]*\}")
_TRIES = 5
_BACKREFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9k]")

Path = tuple[str | int, ...]


def check(document: Mapping[str, Any], prefix: str = "", before: int = 0) -> int:
    """Refuse references that branch into more schemas than a claim may meet, and slow patterns.

    `before` is what earlier parts of the document count; returned is what it makes together.

    JSON Schema's patterns are those of ECMA-262: what `jsonschema-rs` compiles is one.

    Raises:
        DocumentError: names the place of the branching reference, or of the pattern.
    """
    breadth = _Breadth(document, prefix)
    resolver = Registry[Any]().resolver_with_root(DRAFT202012.create_resource(document))
    count = breadth.of(document, (), resolver)
    total = before + count.schemas
    if total > MAX_CHECKS:
        raise DocumentError(
            place_of(count.place, prefix),
            f"{'with the rules before it, ' if before else ''}would check a claim against more than"
            f" {MAX_CHECKS:,} schemas (each number in an enum counts as {_NUMBER_CHECKS})",
        )
    for path, pattern in _patterns(document):
        _check_pattern(pattern, place_of(path, prefix))
    return total


def _check_pattern(pattern: str, place: str) -> None:
    if _BACKREFERENCE.search(pattern):
        raise DocumentError(
            place,
            "backreferences (\\1, \\k) are not allowed, because they can take seconds per claim",
        )
    is_match = _matches(pattern)
    if is_match is None:
        raise DocumentError(place, "not a valid ECMA-262 regular expression, or too large")
    for word, end in _samples(pattern):
        for size in _SIZES:
            match = partial(is_match, (word * size)[:size] + end)
            if cpu_milliseconds(match, MAX_MILLISECONDS) > MAX_MILLISECONDS:
                reason = f"takes more than {MAX_MILLISECONDS} ms to check one string"
                raise DocumentError(place, reason)


def _samples(pattern: str) -> Iterator[tuple[str, str]]:
    """Words to repeat and what to append, so that the pattern almost matches the text."""
    letters = sorted({*re.findall(r"[\w .,-]", pattern), "a", "1", " "})
    yield from ((letter, _END) for letter in letters[:_LETTERS_TRIED])
    if _matches(pattern, jsonschema_rs.RegexOptions()) is not None:
        return  # in linear time
    words, ends = [""], {_END: None}
    for atom in _ATOM.findall(pattern):
        if atom[0] in "(|)":
            words.append("")
        elif times := _REPETITION.fullmatch(atom):
            words[-1] += words[-1][-1:] * (min(int(times[1] or 1), _REPETITIONS_TRIED) - 1)
        elif atom not in _ZERO_WIDTH:
            words[-1] += _letter(atom)
            ends |= dict.fromkeys(atom[2:3] if atom.startswith("[^") else "")
    words += ["".join(words), *"".join(words)]
    for word in [*dict.fromkeys(filter(None, words))][:_LETTERS_TRIED]:
        yield from ((word, end) for end in [*ends][:_ENDS_TRIED])


@lru_cache(1_024)
def _letter(atom: str) -> str:
    """A character that this part of a pattern matches, if one is found."""
    code = re.fullmatch(r"\\(?:x|u\{?)([0-9A-Fa-f]{2,6})\}?", atom)
    own = chr(int(code[1], 16)) if code and int(code[1], 16) <= sys.maxunicode else ""
    is_match = _matches(f"^(?:{atom})$")
    return next((each for each in (*own, *atom, *_OTHERS) if is_match and is_match(each)), "")


def _matches(
    pattern: str, engine: "jsonschema_rs.RegexOptions | None" = None
) -> Callable[[Any], bool] | None:
    """A function that matches a text; None if the engine does not accept the pattern."""
    try:
        return jsonschema_rs.Draft202012Validator(
            {"pattern": pattern}, pattern_options=engine
        ).is_valid
    except ValueError:
        return None


class _Count(NamedTuple):
    """What a value that is checked against a schema may meet."""

    schemas: int
    place: Path
    """The first below which there are too many."""
    ways_back: int = 0
    """To schemas that are being counted: around and around."""
    to: int = 0
    """The outermost of these."""


class _Breadth:
    """Counts the schemas that a value is checked against, through references, each once a way."""

    def __init__(self, document: Mapping[str, Any], prefix: str) -> None:
        self._prefix = prefix
        self._schemas = set[int]()
        self._known: dict[int, _Count] = {}
        self._open: dict[int, int] = {}
        for path, schema in _schemas(document):
            self._schemas.add(id(schema))
            self._check_uri(schema.get("$id", ""), (*path, "$id"))
            if schema.get("$schema", _DIALECT).rstrip("#") != _DIALECT:
                reason = f"must be {_DIALECT}; other versions of JSON Schema are not supported"
                raise DocumentError(place_of((*path, "$schema"), prefix), reason)

    def _check_uri(self, reference: str, path: Path) -> None:
        try:
            urlsplit(reference)
        except ValueError as error:
            reason = f"not a URI reference: {error}"
            raise DocumentError(place_of(path, self._prefix), reason) from None

    def of(self, schema: Any, path: Path, resolver: Any) -> _Count:
        """How many, and the first place below which there are too many.

        Raises:
            DocumentError: names a reference as `_target` does, or what leads back to itself in
                several ways. The engine remembers what it has decided, but where it lists what is
                wrong with a claim, each level of nesting would multiply the work.
        """
        me = id(schema)
        if not isinstance(schema, Mapping):
            return _Count(1, path)
        if me in self._open:
            return _Count(1, path, 1, me)
        if me in self._known:
            known = self._known[me]
            return known if known.to in self._open else known._replace(ways_back=0)
        self._open[me] = len(self._open)
        compared = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
        total, place = 1 + _NUMBER_CHECKS * sum(map(_parts, compared)), path
        times = 1 if _UNEVALUATED.isdisjoint(schema) else _UNEVALUATED_CHECKS
        resolver = resolver.in_subresource(DRAFT202012.create_resource(schema))
        below = [(inner, step, resolver) for step, inner in _below(schema)]
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in schema:
                target = self._target(schema[keyword], (*path, keyword), resolver)
                below.append((target.contents, (keyword,), target.resolver))
        ways, apart, to = 0, 0, me
        for inner, step, its_resolver in below:
            count = self.of(inner, (*path, *step), its_resolver)
            total += times * count.schemas
            if count.ways_back:
                to = min(to, count.to, key=self._open.__getitem__)
                if step[0] in _APART:
                    apart = max(apart, count.ways_back)
                else:
                    ways += count.ways_back
                if ways + apart > 1:
                    reason = (
                        "leads back to itself in several ways, so that one claim can take hours"
                    )
                    raise DocumentError(place_of((*path, *step), self._prefix), reason)
            if count.schemas > MAX_CHECKS:
                place = count.place
                break
        del self._open[me]
        ways = 0 if to == me else ways + apart
        self._known[me] = _Count(min(total, 2 * MAX_CHECKS), place, ways, to)
        return self._known[me]

    def _target(self, reference: str, path: Path, resolver: Any) -> Any:
        """What a reference leads to.

        Raises:
            DocumentError: nothing, or another document; or what is only a schema because the
                reference leads there, as under a keyword that nobody knows: it was not checked.
        """
        self._check_uri(reference, path)
        resource, _, fragment = reference.partition("#")
        if not fragment.startswith("/"):  # an anchor, which `referencing` takes as it is written
            reference = f"{resource}#{unquote(fragment)}"
        try:
            found = resolver.lookup(reference)
            if isinstance(found.contents, bool) or id(found.contents) in self._schemas:
                return found
        except (Unresolvable, TypeError, ValueError):  # the last two of steps into a value or list
            pass
        raise DocumentError(
            place_of(path, self._prefix), "does not point to a schema in this document"
        )


def _parts(value: Any) -> int:
    """How many parts of a value others are compared with; a text counts 0, as it is looked up."""
    inner = value.values() if isinstance(value, dict) else value
    return int(type(value) is not str) + (
        sum(_parts(each) or 1 for each in inner) if isinstance(value, dict | list) else 0
    )


def _inside(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The schemas that a schema applies, and those that it only defines."""
    yield from _below(schema)
    yield from _named(schema, "$defs")
    yield from _named(schema, "definitions")


def _below(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The schemas that a schema applies, itself."""
    for keyword in ("properties", "patternProperties", "dependentSchemas", "dependencies"):
        yield from _named(schema, keyword)
    for keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for place, inner in enumerate(schema.get(keyword, ())):
            yield (keyword, place), inner
    for keyword in _SINGLE:
        if keyword in schema:
            yield (keyword,), schema[keyword]


_UNEVALUATED = frozenset(("unevaluatedProperties", "unevaluatedItems"))
_APART = frozenset(
    (
        *("properties", "additionalProperties", "unevaluatedProperties"),
        *("prefixItems", "items", "unevaluatedItems"),
    )
)
"""Keywords of which none applies to what another one of them applies to."""
_SINGLE = (
    *("not", "if", "then", "else", "items", "contains", "propertyNames"),
    *("additionalProperties", "unevaluatedProperties", "unevaluatedItems"),
)


def _named(schema: Mapping[str, Any], keyword: str) -> Iterator[tuple[Path, Any]]:
    for name, inner in schema.get(keyword, {}).items():
        yield (keyword, name), inner


def _schemas(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each schema in a document, with its place."""
    if isinstance(schema, Mapping):
        yield path, schema
        for step, inner in _inside(schema):
            yield from _schemas(inner, (*path, *step))


def _patterns(schema: Any) -> Iterator[tuple[Path, str]]:
    for path, each in _schemas(schema):
        if "pattern" in each:
            yield (*path, "pattern"), each["pattern"]
        for pattern in each.get("patternProperties", ()):
            yield (*path, "patternProperties", pattern), pattern


def cpu_milliseconds(call: Callable[[], Any], enough: float) -> float:
    """The CPU that a call takes: the least of some tries, which end once it is little enough."""
    least = float("inf")
    for _ in range(_TRIES):  # something else may have had the processor
        before = time.thread_time()
        call()
        least = min(least, 1000 * (time.thread_time() - before))
        if least <= enough:
            break
    return least

"""The fraud risk score and its reasons: rules as data, applied to enriched claims."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial, reduce
from importlib import resources
from itertools import repeat
from operator import and_, or_
from typing import Any, NamedTuple, Self

from pipeline.claims import document_text
from pipeline.claims.columns import Columns
from pipeline.claims.contract import Contract
from pipeline.claims.document_text import DocumentError
from pipeline.claims.memory import Memory, always_fits
from pipeline.claims.signals.facts import Facts, not_null
from pipeline.claims.verdicts import Condition, Schema, condition, verdicts

# Conditions of these keywords look at the fields that they name and at nothing else.
_COMBINING = ("allOf", "anyOf", "oneOf")
_NESTING = ("not", "if", "then", "else")
_REFERRING = {"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor"}
_REMEMBERED = 16_384
"""Verdicts on all fields together, of which what they have in common is kept."""
_SILENT = {"type", "title", "description", "$comment"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it fires on each enriched claim that matches the JSON Schema `when`."""

    id: str
    description: str
    when: Schema
    weight: Decimal = Decimal(0)
    """What it adds to the score, 0 to 1; a quality rule adds nothing."""


class Assessment(NamedTuple):
    """What the rules say of one claim."""

    score: float
    """Fraud risk, 0 to 1."""
    reasons: tuple[str, ...]
    """Ids of the risk rules that fired."""
    issues: tuple[str, ...]
    """Ids of the quality rules that fired."""


class Rules:
    """A rules document. It pickles as its text."""

    def __init__(self, text: str) -> None:
        """Read a rules document.

        Raises:
            DocumentError: it is no JSON object with `risk_rules` and `quality_rules`.
        """
        document = document_text.load(text, parse_float=Decimal)
        if not isinstance(document, dict):
            raise DocumentError("", "an object with risk_rules and quality_rules is needed")
        self.text = text
        version = document.get("version", "")
        if not isinstance(version, str | int | Decimal):
            raise DocumentError("version", "a text is needed")
        self.version = str(version)
        self.risk = _rules(document, "risk_rules", ("id", "description", "when", "weight"))
        self.quality = _rules(document, "quality_rules", ("id", "description", "when"))

    @classmethod
    def default(cls) -> Self:
        """The rules that the package carries."""
        return cls(default_rules_text())

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)


def _rules(document: Mapping[str, Any], section: str, keys: tuple[str, ...]) -> tuple[Rule, ...]:
    entries = document.get(section)
    if not isinstance(entries, list):
        raise DocumentError(section, "a list of rules is needed")
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) != set(keys):
            raise DocumentError(f"{section}[{place}]", f"exactly {', '.join(keys)} are needed")
        if not (isinstance(entry["id"], str) and isinstance(entry["description"], str)):
            raise DocumentError(f"{section}[{place}]", "id and description are needed, as text")
        if not isinstance(entry["when"], dict | bool):
            raise DocumentError(f"{section}[{place}]", "when: a JSON Schema is needed")
        weight = entry.get("weight", 0)
        if isinstance(weight, bool) or not isinstance(weight, int | Decimal):
            raise DocumentError(f"{section}[{place}].weight", "a number is needed")
    return tuple(
        Rule(entry["id"], entry["description"], entry["when"], Decimal(entry.get("weight", 0)))
        for entry in entries
    )


def fields_read(when: Mapping[str, Any] | bool) -> frozenset[str] | None:
    """The fields that a condition looks at; None when it may look at any."""
    if isinstance(when, bool):
        return frozenset()
    names: set[str] = set()
    for keyword, argument in when.items():
        if keyword == "properties":
            names.update(argument)
        elif keyword == "required":
            names.update(argument)
        elif keyword in _COMBINING or keyword in _NESTING:
            for part in argument if keyword in _COMBINING else [argument]:
                inner = fields_read(part)
                if inner is None:
                    return None
                names.update(inner)
        elif keyword not in _SILENT:
            return None
    return frozenset(names)


def condition_of(rule: Rule) -> Condition:
    """Whether a rule fires on the facts of a claim.

    Raises:
        ValueError: `when` does not compile.
    """
    return condition(plain(rule.when))


def parts_of(when: Schema) -> dict[str, Schema] | None:
    """A condition that is met when each of these fields meets its own; None if it is no such one.

    `required` counts for nothing: the facts of a claim have every field.
    """
    if isinstance(when, bool):
        return {} if when else None
    silent = {"properties", "required", *_SILENT}
    if _refers(when):
        return None  # a reference leads to its place in the whole condition
    if set(when) <= silent and when.get("type", "object") == "object":
        return dict(when.get("properties", {}))
    return None


def _refers(schema: Any) -> bool:
    """Whether a schema refers to a place in its document, or names one."""
    if isinstance(schema, dict):
        return bool(_REFERRING & schema.keys()) or any(map(_refers, schema.values()))
    return isinstance(schema, list) and any(map(_refers, schema))


class Scorer:
    """Applies rules. The rules that fired on a claim are a bit mask: bit i stands for rule i.

    A rule that reads a signal whose source is absent never fires, and costs nothing.
    """

    def __init__(self, rules: Rules, facts: Facts) -> None:
        """Compile the conditions, and have `facts` compute what they read.

        Raises:
            ValueError: a condition does not compile.
        """
        self._rules = (*rules.risk, *rules.quality)
        self._risk_count = len(rules.risk)
        self._facts = facts
        self._blank = Contract.default().blank
        """What rules see of a field that the contract of a job does not have."""
        by_field: dict[str, dict[int, Schema]] = {}
        self._across: list[tuple[int, Condition]] = []
        self._read_across: frozenset[str] = frozenset()
        self._apart = 0
        for place, rule in enumerate(self._rules):
            read = fields_read(rule.when) or frozenset()
            if not facts.has(read):
                continue
            bit, parts = 1 << place, parts_of(plain(rule.when))
            if parts is None:
                self._across.append((bit, condition_of(rule)))
                self._read_across |= read
                continue
            self._apart |= bit
            for field, schema in parts.items():
                by_field.setdefault(field, {})[bit] = not_null(schema, field)
        judged = {
            field: verdicts(schemas, self._apart & ~sum(schemas))
            for field, schemas in by_field.items()
        }
        self._verdicts = facts.by_key(judged)
        self._in_common = Memory(partial(reduce, and_), _REMEMBERED, always_fits).__getitem__
        facts.need({*self._verdicts, *self._read_across})

    def fired(self, facts: Columns) -> list[int]:
        """The rules that fire on each claim, which `assessment` tells.

        `facts` are claims with their signals.
        """
        size = len(next(iter(facts.values())))
        # One verdict is enough on a field that no claim has, as most of those for hospitals.
        same, differing = self._apart, []
        for field, judged in self._verdicts.items():
            values = facts.get(field) or [self._blank.get(field)]
            verdict = judged.of_all(values)
            if verdict is None:
                differing.append(judged.on(values))
            else:
                same &= verdict
        fired: Iterable[int] = map(
            self._in_common, zip(repeat(same, size), *differing, strict=True)
        )
        if self._across:
            read = {name: self._values(facts, name, size) for name in self._read_across}
            fired = map(or_, fired, map(self._fired_across, _claim_by_claim(read, size)))
        return list(fired)

    def _values(self, facts: Columns, field: str, size: int) -> Sequence[Any]:
        return facts.get(field) or [self._blank.get(field)] * size

    def _fired_across(self, facts: dict[str, Any]) -> int:
        return sum(bit for bit, is_met in self._across if is_met(facts))

    def assessment(self, fired: int) -> Assessment:
        """Score, reasons and quality issues of a claim on which these rules fired."""
        some = [(place, rule) for place, rule in enumerate(self._rules) if fired >> place & 1]
        risk = [rule for place, rule in some if place < self._risk_count]
        quality = [rule for place, rule in some if place >= self._risk_count]
        # Decimal, so that 0.3 and 0.2 make 0.5.
        score = min(Decimal(1), sum((rule.weight for rule in risk), Decimal(0)))
        return Assessment(
            float(score), tuple(rule.id for rule in risk), tuple(rule.id for rule in quality)
        )


def _claim_by_claim(facts: Columns, size: int) -> Iterable[dict[str, Any]]:
    if not facts:
        return repeat({}, size)
    return _as_dicts(facts)


def _as_dicts(facts: Columns) -> Iterator[dict[str, Any]]:
    for values in zip(*facts.values(), strict=True):
        yield dict(zip(facts, values, strict=True))


def plain(value: Any) -> Any:
    """Decimals of a document as JSON numbers again."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def default_rules_text() -> str:
    """The text of the rules that the package carries."""
    return resources.files("pipeline.claims").joinpath("rules.json").read_text("utf-8")

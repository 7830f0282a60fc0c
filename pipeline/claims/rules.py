"""Rules as data: the document that says what is risky, and what is of poor quality."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any, Self

from pipeline.claims import document_text
from pipeline.claims.document_text import DocumentError
from pipeline.claims.verdicts import Condition, Schema, condition

# Conditions of these keywords look at the fields that they name and at nothing else.
_COMBINING = ("allOf", "anyOf", "oneOf")
_NESTING = ("not", "if", "then", "else")
_REFERRING = {"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor"}
_MAX_DECIMALS = 30
_SILENT = {"type", "title", "description", "$comment"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it fires on each enriched claim that matches the JSON Schema `when`."""

    id: str
    description: str
    when: Schema
    weight: Decimal = Decimal(0)
    """What it adds to the score, 0 to 1; a quality rule adds nothing."""


class Rules:
    """A rules document. It pickles as its text."""

    def __init__(self, text: str) -> None:
        """Read a rules document.

        Raises:
            DocumentError: it is no JSON object with `risk_rules` and `quality_rules`.
        """
        document = document_text.load(text, parse_float=Decimal)
        if not isinstance(document, dict):
            raise DocumentError("", "must be an object with risk_rules and quality_rules")
        self.text = text
        self.version = document_text.version_of(document, "version")
        self.risk = _rules(document, "risk_rules", ("id", "description", "when", "weight"))
        self.quality = _rules(document, "quality_rules", ("id", "description", "when"))

    @classmethod
    def default(cls) -> Self:
        return cls(default_rules_text())

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)


def _rules(document: Mapping[str, Any], section: str, keys: tuple[str, ...]) -> tuple[Rule, ...]:
    entries = document.get(section)
    if not isinstance(entries, list):
        raise DocumentError(section, "must be a list of rules")
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) != set(keys):
            raise DocumentError(
                f"{section}[{place}]", f"must have exactly the keys {', '.join(keys)}"
            )
        if not (isinstance(entry["id"], str) and isinstance(entry["description"], str)):
            raise DocumentError(f"{section}[{place}]", "id and description must be strings")
        if not isinstance(entry["when"], dict | bool):
            raise DocumentError(f"{section}[{place}]", "when must be a JSON Schema")
        weight = entry.get("weight", 0)
        if isinstance(weight, bool) or not isinstance(weight, int | Decimal):
            raise DocumentError(f"{section}[{place}].weight", "must be a number")
        # Written out, 1e-99999999 has a hundred million digits.
        if weight and Decimal(weight).adjusted() < -_MAX_DECIMALS:
            reason = f"must have at most {_MAX_DECIMALS} decimal places"
            raise DocumentError(f"{section}[{place}].weight", reason)
    return tuple(
        Rule(entry["id"], entry["description"], entry["when"], Decimal(entry.get("weight", 0) or 0))
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
    """Whether a rule fires on the facts of a claim; as `condition`."""
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


def plain(value: Any) -> Any:
    """Decimals of a document as JSON numbers again."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def default_rules_text() -> str:
    return resources.files("pipeline.claims").joinpath("rules.json").read_text("utf-8")

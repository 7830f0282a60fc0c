"""The contract: what a claim is, read from its JSON Schema, and judged against it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from operator import and_
from typing import Any, Self

import jsonschema_rs

from pipeline.claims.rejection import Violation
from pipeline.claims.storable import NUMERIC, PATTERNS, fit_numeric, numeric_fault
from pipeline.claims.violations import describe

MAX_VIOLATIONS = 20
"""Violations that one rejection lists at most."""
_EXAMINED_ITEMS = 1_000
"""Items of an array whose violations are told; telling those of millions would take minutes."""

_NUMERIC_FAULTS = {
    "scale": f"more than {NUMERIC.scale} decimals",
    "precision": f"more than {NUMERIC.most.adjusted() + 1} digits before the decimal point",
}
_COLUMN_TYPES = {"integer": "INTEGER", "number": "FLOAT", "boolean": "BOOLEAN", "object": "JSON"}
_FORMAT_TYPES = {"date": "DATE", "date-time": "TIMESTAMP"}


class DocumentError(ValueError):
    """A contract or rules document that cannot be used: which place in it, and why."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a BigQuery table, with the names that BigQuery itself uses."""

    name: str
    type: str
    mode: str = "NULLABLE"
    description: str = ""
    fields: tuple["Column", ...] = ()


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The JSON types that a property allows, null left out."""
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    return tuple(name for name in names if isinstance(name, str) and name != "null")


def is_nullable(schema: Mapping[str, Any]) -> bool:
    """Whether a property may be null."""
    declared = schema.get("type", ())
    return declared != "null" and not isinstance(declared, str) and "null" in declared


def column_of(name: str, schema: Any) -> Column:
    """The BigQuery column of one property.

    Raises:
        DocumentError: the property has no single type that a column could have.
    """
    if not isinstance(schema, dict):
        raise DocumentError(f"properties.{name}", "a schema with a type is needed")
    told = schema.get("x-bigquery", {})
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise DocumentError(f"properties.{name}.x-bigquery", "type and mode are needed, as text")
    types = types_of(schema)
    if len(types) != 1:
        raise DocumentError(f"properties.{name}.type", "one type, with or without null, is needed")
    if types[0] == "array":
        items = schema.get("items", {})
        if not isinstance(items, dict) or types_of(items) == ("array",):
            raise DocumentError(f"properties.{name}.items", "a schema that is no array is needed")
        item = column_of(name, items)
        column_type, mode = told.get("type", item.type), "REPEATED"
    else:
        derived = _COLUMN_TYPES.get(types[0]) or _FORMAT_TYPES.get(schema.get("format", ""))
        column_type, mode = told.get("type", derived or "STRING"), told.get("mode", "NULLABLE")
    return Column(name, column_type, mode, schema.get("description", ""))


def _storable(schema: Mapping[str, Any]) -> dict[str, Any]:
    pattern = PATTERNS.get(schema.get("format", ""))
    if pattern is None:
        return dict(schema)
    return {**schema, "allOf": [*schema.get("allOf", ()), {"pattern": pattern}]}


def _canonical(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a property obeys once it is normalised."""
    canonical = _storable(schema)
    if isinstance(schema.get("items"), dict):
        canonical["items"] = _storable(schema["items"])
    if is_nullable(schema):
        if types_of(schema) == ("string",):
            canonical.setdefault("minLength", 1)  # an empty string becomes null
        elif types_of(schema) == ("array",):
            canonical["type"] = "array"  # null becomes an empty array
    return canonical


class Contract:
    """A compiled claim schema.

    It pickles as its text, so that the workers of a job compile what the launch has checked.
    """

    def __init__(self, text: str) -> None:
        """Read a JSON Schema (draft 2020-12) document.

        Raises:
            DocumentError: it is no JSON object, or a property has no BigQuery column.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DocumentError("", f"not JSON: {error}") from None
        if not isinstance(document, dict) or not isinstance(document.get("properties"), dict):
            raise DocumentError("properties", "an object with the claim's fields is needed")
        self.text = text
        self.document: dict[str, Any] = document
        self.properties: dict[str, dict[str, Any]] = document["properties"]
        self.columns = tuple(column_of(name, schema) for name, schema in self.properties.items())
        self.blank: dict[str, Any] = {
            column.name: [] if column.mode == "REPEATED" else None for column in self.columns
        }
        """A claim in which every field is null, or an empty array: what a missing field is."""

    @classmethod
    def default(cls) -> Self:
        """The contract that the package carries."""
        return cls(default_contract_text())

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    @property
    def version(self) -> str:
        """The document's `x-version`; without one, a digest of its text."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:12]
        return str(self.document.get("x-version", digest))

    def names(self, *column_types: str) -> tuple[str, ...]:
        """The single-valued fields whose columns have one of these types."""
        return tuple(
            column.name
            for column in self.columns
            if column.type in column_types and column.mode != "REPEATED"
        )

    @property
    def exact_fields(self) -> tuple[str, ...]:
        """The fields whose numbers must keep every digit from the text of a message on."""
        return self.names("NUMERIC", "BIGNUMERIC", "INTEGER")

    @property
    def canonical_document(self) -> dict[str, Any]:
        """The JSON Schema that normalised claims obey."""
        properties = {name: _canonical(schema) for name, schema in self.properties.items()}
        return {**self.document, "properties": properties}

    @cached_property
    def _numerics(self) -> tuple[str, ...]:
        return self.names("NUMERIC")

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            self.canonical_document, validate_formats=True, offline=True
        )

    def accept(self, claims: Sequence[dict[str, Any]]) -> list[bool]:
        """Of each claim, whether it is canonical: normalised, and without a violation."""
        accepted = list(map(self._is_valid, claims))
        for name in self._numerics:
            fit = fit_numeric([claim.get(name) for claim in claims])
            if False in fit:
                accepted = list(map(and_, accepted, fit))
        return accepted

    @cached_property
    def _is_valid(self) -> Callable[[Any], bool]:
        return self._validator.is_valid

    def violations(self, claim: dict[str, Any]) -> tuple[Violation, ...]:
        """What a normalised claim violates, in the order of the contract's fields.

        Raises:
            ValueError: it is nested deeper than the validator looks.
        """
        found = [describe(error, self.properties) for error in self._errors(claim)]
        for name in self._numerics:
            fault = numeric_fault(claim.get(name))
            if fault is not None:
                found.append(Violation(name, fault, _NUMERIC_FAULTS[fault]))
        order = {name: place for place, name in enumerate(self.properties)}
        found.sort(key=lambda violation: order.get(violation.field.rstrip("[]"), len(order)))
        return tuple(dict.fromkeys(found))[:MAX_VIOLATIONS]

    def _errors(self, claim: dict[str, Any]) -> list[jsonschema_rs.ValidationError]:
        long = {
            name: value[:_EXAMINED_ITEMS]
            for name, value in claim.items()
            if type(value) is list and len(value) > _EXAMINED_ITEMS
        }
        if not long:
            return list(self._validator.iter_errors(claim))
        try:
            self._validator.validate(claim)
        except jsonschema_rs.ValidationError as first:  # perhaps beyond the examined items
            return list(self._validator.iter_errors({**claim, **long})) or [first]
        return []


def default_contract_text() -> str:
    """The text of the claim schema that the package carries."""
    return resources.files("pipeline.claims").joinpath("claim.schema.json").read_text("utf-8")

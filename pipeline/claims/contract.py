"""The contract: what a claim is, read from its JSON Schema, and judged against it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from itertools import chain
from operator import and_
from typing import Any, Self

import jsonschema_rs

from pipeline.claims import document_text
from pipeline.claims.columns import Columns, columns_of
from pipeline.claims.document_text import DocumentError
from pipeline.claims.rejection import Violation
from pipeline.claims.storable import NUMERIC, PATTERNS, fit_numeric, numeric_fault
from pipeline.claims.violations import describe, is_record

ADDITIONAL_FIELDS = "additional_fields"
"""The column that keeps, as JSON, the fields of a claim or record that are not in the contract."""
MAX_VIOLATIONS = 20
"""Violations that one rejection lists at most."""
_EXAMINED = 100
"""Items of arrays, and unknown fields, of an invalid claim whose violations are listed, wherever
they stand in it; each takes 50 us, and a message of 10 MB may have millions."""
_CERTAIN = frozenset(
    "type required additionalProperties propertyNames falseSchema maxItems maxProperties"
    " uniqueItems".split()
)
"""Keywords that an array or object violates if its beginning does."""
_BRANCHES = frozenset(("then", "else"))
"""Keywords that may apply to the beginning of a claim, and not to the claim."""

_NUMERIC_FAULTS = {
    "scale": f"more than {NUMERIC.scale} decimal places",
    "precision": f"more than {NUMERIC.most.adjusted() + 1} digits before the decimal point",
}
_COLUMN_TYPES = {"integer": "INTEGER", "number": "FLOAT", "boolean": "BOOLEAN", "object": "JSON"}
_FORMAT_TYPES = {"date": "DATE", "date-time": "TIMESTAMP"}
_ADDITIONAL = "Fields that are not in the contract."


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
    declared = schema.get("type", ())
    return declared != "null" and not isinstance(declared, str) and "null" in declared


def column_of(name: str, schema: Any) -> Column:
    """The BigQuery column of one property.

    Raises:
        DocumentError: the property has no single type that a column could have.
    """
    if not isinstance(schema, dict):
        raise DocumentError(f"properties.{name}", "must be a schema with a type")
    declared = schema.get("x-bigquery", {})
    if (
        not isinstance(declared, dict)
        or not declared.keys() <= {"type", "mode"}
        or not all(isinstance(value, str) for value in declared.values())
    ):
        reason = "must have no keys but type and mode, which are strings"
        raise DocumentError(f"properties.{name}.x-bigquery", reason)
    types = types_of(schema)
    if len(types) != 1:
        raise DocumentError(f"properties.{name}.type", "must be one type, optionally with null")
    if types[0] == "array":
        items = schema.get("items", {})
        if not isinstance(items, dict) or types_of(items) == ("array",):
            raise DocumentError(
                f"properties.{name}.items", "must be the schema of a single item, not of an array"
            )
        item = column_of(name, items)
        column_type, mode, fields = declared.get("type", item.type), "REPEATED", item.fields
    else:
        declared_format = schema.get("format", "")
        if not isinstance(declared_format, str):
            raise DocumentError(f"properties.{name}.format", "must be a string")
        derived = _COLUMN_TYPES.get(types[0]) or _FORMAT_TYPES.get(declared_format)
        column_type = declared.get("type", derived or "STRING")
        mode = declared.get("mode", "NULLABLE")
        fields = _fields_of(name, schema) if column_type == "RECORD" else ()
    return Column(name, column_type, mode, schema.get("description", ""), fields)


def _fields_of(name: str, schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of a record: its properties, and what is not among them as JSON."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or not properties:
        raise DocumentError(f"properties.{name}", "a record must have properties")
    try:
        fields = tuple(column_of(inner, what) for inner, what in properties.items())
    except DocumentError as error:
        raise DocumentError(f"properties.{name}", str(error)) from None
    return (*fields, Column(ADDITIONAL_FIELDS, "JSON", description=_ADDITIONAL))


def _storable(schema: Mapping[str, Any]) -> dict[str, Any]:
    pattern = PATTERNS.get(schema.get("format", ""))
    if pattern is None:
        return dict(schema)
    return {**schema, "allOf": [*schema.get("allOf", ()), {"pattern": pattern}]}


def _canonical(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a property obeys once it is normalised."""
    canonical = _storable(schema)
    items = schema.get("items")
    if isinstance(items, dict):
        canonical["items"] = _storable(items)
        if is_record(items):
            canonical["items"]["properties"] = _canonical_properties(items["properties"])
    if is_nullable(schema):
        if types_of(schema) == ("string",):
            canonical.setdefault("minLength", 1)  # an empty string becomes null
        elif types_of(schema) == ("array",):
            canonical["type"] = "array"  # null becomes an empty array
    return canonical


def _canonical_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _canonical(schema) for name, schema in properties.items()}


def _items(value: Any) -> list[Any]:
    """The items of an array; none of what is no array."""
    return value if type(value) is list else []


def _is_of_whole(error: jsonschema_rs.ValidationError) -> bool:
    """Whether an error of the beginning of a claim is certainly one of the claim."""
    is_certain = error.kind.name in _CERTAIN or not isinstance(error.instance, dict | list)
    return is_certain and _BRANCHES.isdisjoint(error.schema_path)


class Fields:
    """Properties of a schema and their columns: those of a claim, or of the records in it."""

    def __init__(self, properties: dict[str, dict[str, Any]], columns: Sequence[Column]) -> None:
        """`columns` are those of the properties, perhaps followed by others."""
        self.properties = properties
        self.columns = tuple(columns)
        self.blank: dict[str, Any] = {
            column.name: [] if column.mode == "REPEATED" else None for column in self.columns
        }
        """All fields null, or an empty array: what a missing field is."""

    def names(self, *column_types: str, repeated: bool = False) -> tuple[str, ...]:
        """The single-valued fields, or the arrays, whose columns have one of these types."""
        return tuple(
            column.name
            for column in self.columns
            if column.type in column_types and (column.mode == "REPEATED") == repeated
        )

    @cached_property
    def objects(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.type == "JSON")

    @cached_property
    def _numerics(self) -> tuple[str, ...]:
        return self.names("NUMERIC")

    @cached_property
    def _numeric_arrays(self) -> tuple[str, ...]:
        return self.names("NUMERIC", repeated=True)

    def exact_numbers(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """What is there for NUMERIC columns, by name; each item of an array as `name[]`."""
        yield from ((name, values.get(name)) for name in self._numerics)
        for name in self._numeric_arrays:
            yield from ((f"{name}[]", item) for item in _items(values.get(name)))

    def decimals(self, records: Sequence[Mapping[str, Any]]) -> list[Any]:
        """What is there for NUMERIC columns in records, but for integers and nulls."""
        found = [
            value
            for record in records
            for name in self._numerics
            if (value := record.get(name)) is not None and type(value) is not int
        ]
        for name in self._numeric_arrays:
            found += chain.from_iterable(_items(record.get(name)) for record in records)
        return found


class Contract(Fields):
    """A compiled claim schema.

    It pickles as its text, so that the workers of a job compile what the launch has checked.
    """

    def __init__(self, text: str) -> None:
        """Read a JSON Schema (draft 2020-12) document.

        Raises:
            DocumentError: it is no JSON object, or a property has no BigQuery column.
        """
        document = document_text.load(text)
        if not isinstance(document, dict) or not isinstance(document.get("properties"), dict):
            raise DocumentError("properties", "must be an object with the claim's fields")
        self.text = text
        self.document: dict[str, Any] = document
        properties: dict[str, dict[str, Any]] = document["properties"]
        super().__init__(properties, [column_of(name, what) for name, what in properties.items()])
        self.records: dict[str, Fields] = {
            column.name: Fields(properties[column.name]["items"]["properties"], column.fields)
            for column in self.columns
            if column.mode == "REPEATED" and column.fields
        }
        """The fields of the records in each array of records, such as service lines."""

    @classmethod
    def default(cls) -> Self:
        return cls(default_contract_text())

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    @property
    def version(self) -> str:
        """The document's `x-version`; without one, a digest of its text."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:12]
        return str(self.document.get("x-version", digest))

    @property
    def exact_fields(self) -> tuple[str, ...]:
        """The fields whose numbers must keep every digit from the text of a message on."""
        return self.names("NUMERIC", "BIGNUMERIC", "INTEGER")

    @property
    def double_fields(self) -> frozenset[str]:
        """The fields in which no digits beyond a double count, or are looked after elsewhere."""
        exact_arrays = self.names("NUMERIC", "BIGNUMERIC", "INTEGER", repeated=True)
        return frozenset(self.properties).difference(self.names("JSON"), exact_arrays)

    @property
    def canonical_document(self) -> dict[str, Any]:
        """The JSON Schema that normalised claims obey."""
        return {**self.document, "properties": _canonical_properties(self.properties)}

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            self.canonical_document, validate_formats=True, offline=True
        )

    def accept(
        self, claims: Sequence[dict[str, Any]], columns: Columns | None = None
    ) -> list[bool]:
        """Of each claim, whether it is canonical: normalised, and without a violation.

        `columns` holds the same claims by column, where the caller has them.

        Raises:
            ValueError: the schema does not compile.
        """
        is_valid = self._is_valid
        try:
            accepted = list(map(is_valid, claims))
        except ValueError:  # one is nested deeper than the validator looks
            accepted = list(map(self._is_valid_at_any_depth, claims))
        if columns is None:
            columns = columns_of(claims, self.blank)
        for name in self._numerics:
            fit = fit_numeric(columns.get(name, ()))
            if False in fit:
                accepted = list(map(and_, accepted, fit))
        for name in self._numeric_arrays:
            fit = [False not in fit_numeric(_items(value)) for value in columns.get(name, ())]
            if False in fit:
                accepted = list(map(and_, accepted, fit))
        for name, fields in self.records.items():
            numbers = {
                place: fields.decimals(records)
                for place, records in enumerate(columns.get(name, ()))
                if records and accepted[place]
            }
            if False in fit_numeric(list(chain.from_iterable(numbers.values()))):
                for place, some in numbers.items():
                    accepted[place] = False not in fit_numeric(some)
        return accepted

    def _is_valid_at_any_depth(self, claim: dict[str, Any]) -> bool:
        try:
            return self._is_valid(claim)
        except ValueError:
            return False

    @cached_property
    def _is_valid(self) -> Callable[[Any], bool]:
        return self._validator.is_valid

    def violations(self, claim: dict[str, Any]) -> tuple[Violation, ...]:
        """What a normalised claim violates, in the order of the contract's fields.

        Raises:
            ValueError: it is nested deeper than the validator looks.
        """
        if self._is_valid(claim):  # in a sixth of the time of a search for errors
            found = dict.fromkeys(self._misfits(claim))
        else:
            beginning = self._beginning(claim)
            is_whole = beginning == claim
            errors = [
                error
                for error in self._validator.iter_errors(beginning)
                if is_whole or _is_of_whole(error)
            ]
            errors.append(self._first_error(claim))  # perhaps beyond the beginning
            found = dict.fromkeys(describe(error, self.properties) for error in errors)
            found |= dict.fromkeys(self._misfits(beginning))
        order = {name: place for place, name in enumerate(self.properties)}
        return tuple(
            sorted(found, key=lambda each: order.get(each.field.partition("[")[0], len(order)))
        )[:MAX_VIOLATIONS]

    def _misfits(self, claim: Mapping[str, Any]) -> Iterator[Violation]:
        """The numbers that their NUMERIC columns cannot hold."""
        for path, value in self._numbers(claim):
            if (fault := numeric_fault(value)) is not None:
                yield Violation(path, fault, _NUMERIC_FAULTS[fault])

    def _numbers(self, claim: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """The exact numbers of a claim and its records, by path."""
        yield from self.exact_numbers(claim)
        for name, fields in self.records.items():
            for place, record in enumerate(_items(claim.get(name))):
                for field, value in fields.exact_numbers(record if type(record) is dict else {}):
                    yield f"{name}[{place}].{field}", value

    def _first_error(self, claim: dict[str, Any]) -> jsonschema_rs.ValidationError:
        """That of an invalid claim."""
        try:
            self._validator.validate(claim)
        except jsonschema_rs.ValidationError as first:
            return first
        raise AssertionError("the claim is valid")

    def _beginning(self, claim: dict[str, Any]) -> dict[str, Any]:
        """A claim with few of its items and unknown fields, and one of each array at least."""
        left = _EXAMINED

        def few(value: Any) -> Any:
            nonlocal left
            if type(value) is list:
                items = value[: max(1, left)]
                left -= len(items)
                return list(map(few, items))
            if type(value) is not dict:
                return value
            kept = {}
            for name, each in value.items():
                is_known = name in self._words
                if is_known or left > 0:
                    left -= not is_known
                    kept[name] = few(each)
            return kept

        beginning: dict[str, Any] = few(claim)
        return beginning

    @cached_property
    def _words(self) -> frozenset[str]:
        """All names and other words of the schema: a field that it requires is among them."""
        words, waiting = set[str](), list[Any]([self.document])
        for value in waiting:
            if isinstance(value, dict):
                words |= value.keys()
                waiting += value.values()
            elif isinstance(value, list):
                waiting += value
            elif isinstance(value, str):
                words.add(value)
        return frozenset(words)


def default_contract_text() -> str:
    return resources.files("pipeline.claims").joinpath("claim.schema.json").read_text("utf-8")

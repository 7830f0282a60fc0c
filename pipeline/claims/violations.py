"""Violations in words: JSON Schema errors without the values that caused them."""

from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema_rs import ValidationError

from pipeline.claims.rejection import Violation

# Only what the schema itself says goes into a text, never what the claim holds.
_TEXTS = {
    "minimum": "below the minimum of {limit}",
    "maximum": "above the maximum of {limit}",
    "exclusiveMinimum": "must be greater than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "minLength": "length below the minimum of {limit}",
    "maxLength": "length above the maximum of {limit}",
    "minItems": "item count below the minimum of {limit}",
    "maxItems": "item count above the maximum of {limit}",
    "multipleOf": "not a multiple of {multiple_of}",
    "enum": "not one of the allowed values",
    "const": "not the allowed value",
    "uniqueItems": "contains a duplicate item",
    "pattern": "does not match the pattern",
    "additionalProperties": "contains a field that is not allowed",
}


def is_record(schema: Mapping[str, Any]) -> bool:
    """Whether the items of an array are records: objects whose fields are columns."""
    return bool(schema.get("x-bigquery", {}).get("type") == "RECORD")


def field_path(path: Sequence[str | int], properties: Mapping[str, Any]) -> str:
    """A path as `diagnosis_codes[]` or `service_lines[17].units`.

    A record is named by its place, from 0; names that the contract does not know become `*`.
    """
    schema: Mapping[str, Any] = {"properties": properties}
    parts = []
    for step in path:
        schema = _within(schema, step)
        if isinstance(step, int):
            parts.append(f"[{step}]" if is_record(schema) else "[]")
        else:
            parts.append(f".{step if schema else '*'}")
    return "".join(parts).removeprefix(".")


def _within(schema: Mapping[str, Any], step: str | int) -> Mapping[str, Any]:
    """What a schema says about an item or a property; empty if it does not know it."""
    if isinstance(step, int):
        inner = schema.get("items", {})
    else:
        inner = schema.get("properties", {}).get(step, {})
    return inner if isinstance(inner, dict) else {}


def describe(error: ValidationError, properties: Mapping[str, Any]) -> Violation:
    """One error of the validator as a violation."""
    rule = error.kind.name
    field = field_path(error.instance_path, properties)
    details = error.kind.as_dict()
    if rule == "required":
        missing = f"{field}.{details['property']}" if field else str(details["property"])
        return Violation(missing, rule, "required but missing")
    schema: Mapping[str, Any] = {"properties": properties}
    for step in error.instance_path:
        schema = _within(schema, step)
    if rule == "pattern" and "format" in schema and schema.get("pattern") is None:
        rule = "format"  # the contract's own pattern for storable dates
    if rule == "format":
        return Violation(field, rule, f"not a valid {schema.get('format', 'text')}")
    if rule == "type":
        names = map(str, details.get("types", ()))
        types = " or ".join(sorted(names, key=lambda name: (name == "null", name)))
        return Violation(field, rule, f"must be {types}" if types else "has the wrong type")
    text = _TEXTS.get(rule, f"violates the schema keyword {rule}")
    return Violation(field, rule, text.format_map(_Limits(details)))


class _Limits(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "allowed"

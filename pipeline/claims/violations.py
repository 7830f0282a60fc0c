"""Violations in words: JSON Schema errors told without the values that caused them."""

from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema_rs import ValidationError

from pipeline.claims.rejection import Violation

# Only what the schema itself says goes into a text, never what the claim holds.
_TEXTS = {
    "minimum": "below the minimum {limit}",
    "maximum": "above the maximum {limit}",
    "exclusiveMinimum": "not above {limit}",
    "exclusiveMaximum": "not below {limit}",
    "minLength": "shorter than {limit} characters",
    "maxLength": "longer than {limit} characters",
    "minItems": "fewer than {limit} items",
    "maxItems": "more than {limit} items",
    "multipleOf": "not a multiple of {multiple_of}",
    "enum": "not one of the allowed values",
    "const": "not the allowed value",
    "uniqueItems": "has an item twice",
    "pattern": "does not match the pattern",
    "additionalProperties": "has a field that is not allowed",
}


def field_path(path: Sequence[str | int], properties: Mapping[str, Any]) -> str:
    """A path as `diagnosis_codes[]`; names that the contract does not know become `*`."""
    parts = [
        "[]" if isinstance(step, int) else step if depth == 0 and step in properties else ".*"
        for depth, step in enumerate(path)
    ]
    return "".join(parts)


def describe(error: ValidationError, properties: Mapping[str, Any]) -> Violation:
    """One error of the validator as a violation."""
    rule = error.kind.name
    field = field_path(error.instance_path, properties)
    told = error.kind.as_dict()
    if rule == "required":
        missing = f"{field}.{told['property']}" if field else str(told["property"])
        return Violation(missing, rule, "required but missing")
    schema: Mapping[str, Any] = properties.get(field.removesuffix("[]"), {})
    if field.endswith("[]"):
        schema = schema.get("items", {})
    if rule == "pattern" and "format" in schema and schema.get("pattern") is None:
        rule = "format"  # the contract's own pattern for storable dates
    if rule == "format":
        return Violation(field, rule, f"not a valid {schema.get('format', 'text')}")
    if rule == "type":
        return Violation(field, rule, f"must be {' or '.join(_declared_types(told))}")
    text = _TEXTS.get(rule, f"breaks the rule {rule}")
    return Violation(field, rule, text.format_map(_Limits(told)))


def _declared_types(told: Mapping[str, Any]) -> list[str]:
    names = [str(name) for name in told.get("types", ())]
    return sorted(names, key=lambda name: (name == "null", name)) or ["of another type"]


class _Limits(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "allowed"

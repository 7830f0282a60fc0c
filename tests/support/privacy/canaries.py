"""Claims whose every value is a canary, for every way that a message can take; and the search.

Values that are too short to be told from other figures (an age, a label) are no canaries.
"""

import base64
import json
import re
from typing import Any

from pipeline.claims.contract import Contract
from tests.support.bigquery.fault_server import SECRET

MARK = "Canary7f3a"
AMOUNT, DAY, MOMENT = 735924.186, "1931-07-23", "1931-07-23T11:13:17.193731Z"
INTEGER = 73519247351924
_SHORT = {"patient_age": 41, "synthetic_label_is_fraud": 1}

KEYWORDS: dict[str, tuple[dict[str, Any], Any]] = {
    "additionalProperties": ({"type": "object", "additionalProperties": False}, {MARK: MARK}),
    "anyOf": ({"type": "string", "anyOf": [{"const": "A"}, {"minLength": 99}]}, MARK),
    "const": ({"type": "string", "const": "A"}, MARK),
    "contains": (
        {"type": "array", "items": {"type": "string"}, "contains": {"const": "A"}},
        [MARK],
    ),
    "dependentRequired": ({"type": "object", "dependentRequired": {MARK: ["b"]}}, {MARK: MARK}),
    "enum": ({"type": "string", "enum": ["A", "B"]}, MARK),
    "exclusiveMaximum": ({"type": "number", "exclusiveMaximum": 1}, AMOUNT),
    "exclusiveMinimum": ({"type": "number", "exclusiveMinimum": 1e9}, AMOUNT),
    "format": ({"type": "string", "format": "date-time"}, MARK),
    "if": ({"type": "string", "if": {"minLength": 1}, "then": {"maxLength": 1}}, MARK),
    "items": ({"type": "array", "items": {"type": "string", "maxLength": 3}}, ["A", MARK]),
    "maxItems": ({"type": "array", "items": {"type": "string"}, "maxItems": 1}, [MARK, "A"]),
    "maximum": ({"type": "integer", "maximum": 1}, INTEGER),
    "minItems": ({"type": "array", "items": {"type": "string"}, "minItems": 9}, [MARK]),
    "minLength": ({"type": "string", "minLength": 99}, MARK),
    "minProperties": ({"type": "object", "minProperties": 9}, {MARK: MARK}),
    "multipleOf": ({"type": "integer", "multipleOf": 1000}, INTEGER),
    "not": ({"type": "string", "not": {"minLength": 1}}, MARK),
    "oneOf": ({"type": "string", "oneOf": [{"minLength": 1}, {"minLength": 2}]}, MARK),
    "pattern": ({"type": "string", "pattern": "^[0-9]+$"}, MARK),
    "properties": ({"type": "object", "properties": {"b": {"type": "null"}}}, {"b": MARK}),
    "propertyNames": ({"type": "object", "propertyNames": {"maxLength": 1}}, {MARK: MARK}),
    "required": ({"type": "object", "required": ["b"]}, {MARK: MARK}),
    "uniqueItems": (
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        [MARK, MARK],
    ),
}
"""Keyword -> the schema of a field, and a value with which it is broken."""


def claim(**changes: Any) -> dict[str, Any]:
    """A valid claim that is of high risk: a canary in every field of the contract."""
    values = {name: _value(name, schema) for name, schema in Contract.default().properties.items()}
    return {**values, **changes}


def _value(name: str, schema: dict[str, Any]) -> Any:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if name in _SHORT:
        return _SHORT[name]
    if "array" in types:
        return [_value(name, schema["items"])]
    if "object" in types:
        return {field: _value(field, part) for field, part in schema["properties"].items()}
    if "integer" in types:
        return INTEGER
    if "number" in types:
        return AMOUNT
    assert "string" in types, f"{name}: no canary for {types}"
    return {"date": DAY, "date-time": MOMENT}.get(schema.get("format", ""), f"{MARK}-{name}")


def line(**changes: Any) -> bytes:
    return json.dumps(claim(**changes)).encode()


def contract_text() -> str:
    """The default contract with a field for each keyword."""
    document = json.loads(json.dumps(Contract.default().document))
    for keyword, (schema, _) in KEYWORDS.items():
        document["properties"][f"plan_{keyword}"] = {"description": "A field.", **schema}
    return json.dumps(document)


ACCEPTED = (line(), line(**{f"{MARK}-key": {MARK: MARK, "more": [INTEGER, AMOUNT]}}))
UNPARSABLE = {
    "invalid_json": line()[:-1],
    "invalid_utf8": b"\xff" + line(),
    "trailing_data": line() + line(),
    "non_finite_number": line()[:-1] + f', "{MARK}": NaN}}'.encode(),
    "lone_surrogate": line()[:-1] + f', "{MARK}": "\\ud800{MARK}"}}'.encode(),
    "nesting_too_deep": line()[:-1] + f', "{MARK}": {"[" * 2000}"{MARK}"{"]" * 2000}}}'.encode(),
    "not_an_object": f'["{MARK}"]'.encode(),
    "duplicate_key": line()[:-1] + f', "{MARK}": 1, "{MARK}": "{MARK}"}}'.encode(),
    "empty_message": b" ",
    "message_too_large": line(more=MARK * 1_100_000),
}
"""Each code of the parse step, and a message that gets it."""
_WRONG = ({MARK: MARK}, [MARK, {MARK: [MARK]}], MARK * 100, INTEGER, True)
MISTYPED = tuple(
    line(**{name: wrong}) for name in Contract.default().properties for wrong in _WRONG
)
"""Most are rejected by the validate step; some are taken, as a number for an identifier."""
INVALID = tuple(line(**{f"plan_{keyword}": value}) for keyword, (_, value) in KEYWORDS.items())
"""All are rejected by the validate step."""
SURPRISES = {
    stage: line(claim_id=f"{MARK}-surprise-{stage}") for stage in ("parse", "validate", "enrich")
}
"""Messages on which the test makes a step raise an exception with the whole claim in its text."""
REFUSED = {kind: line(claim_id=f"{MARK}-{kind}") for kind in ("bad", "poison")}
"""Messages whose rows the table refuses."""
TOO_LARGE = line(more=MARK * 1_000_000)
"""A message whose row no request of streaming inserts can hold."""
MESSAGES = (
    *ACCEPTED,
    *UNPARSABLE.values(),
    *MISTYPED,
    *INVALID,
    *SURPRISES.values(),
    *REFUSED.values(),
    TOO_LARGE,
)


def _base64_of(text: str) -> list[str]:
    """What stays of a text in base64, wherever in a longer one it begins."""
    whole = [base64.b64encode(bytes(shift) + text.encode()).decode() for shift in range(3)]
    return [each[4 * (shift > 0) : -4] for shift, each in enumerate(whole)]


_SOUGHT = re.compile(
    "|".join(
        [
            *map(re.escape, (MARK, SECRET, str(AMOUNT), str(INTEGER), DAY)),
            *map(re.escape, _base64_of(MARK)),
        ]
    ),
    re.IGNORECASE,
)


def sightings(text: str) -> list[str]:
    """Where canaries are in a text: each with what stands around it."""
    return [text[max(0, at.start() - 80) : at.end() + 40] for at in _SOUGHT.finditer(text)]

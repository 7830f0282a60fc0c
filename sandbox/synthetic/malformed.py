"""Messages that are wrong on purpose: every kind, with the outcome that it must have.

The kinds of the parse step are a fixed table. Those of the validate step follow from the
contract, so that a new field brings its own kinds along.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

import orjson

from pipeline.claims.contract import Contract, is_nullable, types_of
from pipeline.claims.storable import NUMERIC
from pipeline.claims.violations import is_record

Claim = dict[str, Any]
Make = Callable[[Claim, Random], bytes]


class Malformed(NamedTuple):
    """One kind of bad message."""

    make: Make
    """From a good claim, which stays as it is, to the bytes of the message. Never a newline."""
    stage: str
    """The step that rejects it: parse or validate."""
    error_code: str
    field: str = ""
    """The field and the rule of a violation that the rejection lists (validate only)."""
    rule: str = ""


def _cut(claim: Claim, rng: Random) -> bytes:
    data = orjson.dumps(claim)
    return data[: rng.randrange(1, len(data))]


def _literal(name: str, text: bytes) -> Make:
    """The claim with a field whose value is this very text, JSON or not."""

    def make(claim: Claim, rng: Random) -> bytes:
        rest = {key: value for key, value in claim.items() if key != name}
        return b'{"%b":%b,%b' % (name.encode(), text, orjson.dumps(rest)[1:])

    return make


def _duplicate(name: str) -> Make:
    return lambda claim, rng: b'{"%b":0,%b' % (name.encode(), orjson.dumps(claim)[1:])


def _after(text: bytes) -> Make:
    return lambda claim, rng: orjson.dumps(claim) + text


def _only(data: bytes) -> Make:
    return lambda claim, rng: data


DEEP = 5_000
"""Nested brackets: more than any parser follows."""

# Kind -> error code, message.
_PARSE: dict[str, tuple[str, Make]] = {
    "empty_message": ("empty_message", _only(b"")),
    "not_utf8": ("invalid_utf8", _literal("notes", b'"caf\xe9"')),
    "utf16": ("invalid_utf8", lambda c, r: orjson.dumps(c).decode().encode("utf-16")),
    "plain_text": ("invalid_json", _only(b"claim received")),
    "x12_envelope": ("invalid_json", _only(b"ISA*00*          *00*          *ZZ*SENDER~")),
    "single_quotes": ("invalid_json", lambda c, r: repr(c).encode()),
    "missing_value": ("invalid_json", _literal("claim_amount", b"")),
    "control_character": ("invalid_json", _literal("notes", b'"a\x01b"')),
    "truncated": ("invalid_json", _cut),
    "trailing_text": ("trailing_data", _after(b" end")),
    "two_claims": ("trailing_data", lambda c, r: orjson.dumps(c) * 2),
    "nan": ("non_finite_number", _literal("claim_amount", b"NaN")),
    "infinity": ("non_finite_number", _literal("claim_amount", b"Infinity")),
    "negative_infinity": ("non_finite_number", _literal("claim_amount", b"-Infinity")),
    "number_beyond_double": ("non_finite_number", _literal("claim_amount", b"1e400")),
    "number_of_400_digits": ("non_finite_number", _literal("claim_amount", b"9" * 400)),
    "top_level_array": ("not_an_object", lambda c, r: orjson.dumps([c])),
    "top_level_string": ("not_an_object", lambda c, r: orjson.dumps(c["claim_status"])),
    "top_level_number": ("not_an_object", _only(b"42")),
    "top_level_null": ("not_an_object", _only(b"null")),
    "duplicate_key": ("duplicate_key", _duplicate("claim_amount")),
    "duplicate_id": ("duplicate_key", _duplicate("claim_id")),
    "lone_surrogate": ("lone_surrogate", _literal("notes", rb'"\ud800"')),
    "nested_brackets": ("nesting_too_deep", _only(b"[" * DEEP + b"]" * DEEP)),
    "nested_field": ("nesting_too_deep", _literal("lines", b"[" * DEEP + b"]" * DEEP)),
}


def kinds(contract: Contract) -> dict[str, Malformed]:
    """Every kind of bad message under a contract, by name."""
    table = {name: Malformed(make, "parse", code) for name, (code, make) in _PARSE.items()}
    for field in contract.document.get("required", ()):
        table[f"missing_{field}"] = _violating(_without(field), field, "required")
    for field, schema in contract.properties.items():
        for kind, path, rule, values in _violations(field, schema):
            table[kind] = _violating(_with(field, *values), path, rule)
        for inner, what in _record_properties(schema).items():
            for kind, path, rule, values in _violations(f"{field}_{inner}", what):
                path = path.replace(f"{field}_{inner}", f"{field}[0].{inner}")
                records = [[{inner: value}] for value in values]
                table[kind] = _violating(_with(field, *records), path, rule)
    return table


def _record_properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The properties of the records in an array of such, as of service lines."""
    items = schema.get("items", {})
    properties: Mapping[str, Any] = items.get("properties", {}) if is_record(items) else {}
    return properties


def _violating(make: Make, field: str, rule: str) -> Malformed:
    return Malformed(make, "validate", "schema_violation", field, rule)


def _without(field: str) -> Make:
    return lambda claim, rng: orjson.dumps({k: v for k, v in claim.items() if k != field})


def _with(field: str, *values: Any) -> Make:
    """The claim with one of the values in the field."""
    return lambda claim, rng: orjson.dumps(claim | {field: rng.choice(values)})


# Values that no normalisation turns into the type.
_WRONG: dict[str, tuple[Any, ...]] = {
    "string": (True, {"value": "A"}, ["A"], 4.5),
    "number": ("twelve", "1,250.00", "$75", [75]),
    "integer": ("forty", [45], {"value": 45}),
    "array": (7, False, {"code": "I10"}),
    "object": (7, "text", [1]),
    "boolean": (2, "maybe", [True]),
}
_NO_DATES = ("2026-02-30", "2025-02-29", "2026-13-01", "2026-11-31", "11/23/2026", "11232026")
_NO_DATE_TIMES = ("2026-02-30T10:00:00Z", "2026-11-23T25:00:00Z", "2026-11-23 noon", "1795471321")
_FORMATS = {"date": _NO_DATES, "date-time": _NO_DATE_TIMES}


def _violations(
    field: str, schema: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """For each thing that a field's schema asks: kind, path, rule, values that lack it."""

    def kind(prefix: str, rule: str, *values: Any) -> tuple[str, str, str, tuple[Any, ...]]:
        return f"{prefix}_{field}", field, rule, values

    for type_ in types_of(schema):
        yield kind("wrong_type", "type", *_WRONG[type_])
        if type_ in ("number", "integer"):
            yield kind("boolean", "type", True, False)
            # The least step over a limit that the claims of this field have.
            step = 1 if type_ == "integer" else 0.01
            if "minimum" in schema:
                yield kind("below", "minimum", schema["minimum"] - step)
            if "maximum" in schema:
                yield kind("above", "maximum", schema["maximum"] + step)
        if type_ == "integer":
            yield kind("fractional", "type", 45.5, "45.5")
    if not is_nullable(schema):
        yield kind("null", "type", None)
        if schema.get("minLength"):
            yield kind("empty", "minLength", "")
    if "maxLength" in schema:
        yield kind("too_long", "maxLength", "x" * (schema["maxLength"] + 1))
    if "enum" in schema:
        integers = [value for value in schema["enum"] if isinstance(value, int)]
        yield kind("unlisted", "enum", max(integers) + 1 if integers else "unlisted")
    if schema.get("format") in _FORMATS:
        yield kind("impossible", "format", *_FORMATS[schema["format"]])
    if schema.get("x-bigquery", {}).get("type") == "NUMERIC":
        yield kind("too_fine", "scale", 12.3456789012, "0." + "1" * (NUMERIC.scale + 1))
    if "items" not in schema:
        return
    good: Any = 1 if types_of(schema["items"]) == ("integer",) else "A"
    if is_record(schema["items"]):
        good = {}
        yield f"wrong_item_{field}", f"{field}[0]", "type", (["A"], [7, {}], [None])
    else:
        item = (good, {"code": "A"}), (good, ["B"]), (None,)
        yield f"wrong_item_{field}", f"{field}[]", "type", tuple(map(list, item))
    if "maxItems" in schema:
        yield kind("too_many", "maxItems", [good] * (schema["maxItems"] + 1))

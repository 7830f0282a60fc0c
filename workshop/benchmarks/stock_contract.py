"""What the stock pipeline asks of a message: a check for each field of the claim schema.

It reads the schema and knows nothing else of the product: types, bounds, formats and separators
become plain Python functions. It accepts and rejects what the product's contract does; the tests
hold both together.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

Check = Callable[[Any], Any]
"""From a value that is not null to its one spelling; raises BadClaim."""
_PLAIN_DAY = re.compile(r"\d{8}", re.ASCII).fullmatch
_DAY_WITH_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(\.\d+)? ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
).fullmatch


class BadClaim(ValueError):
    """A message that is no claim: code, and text without values."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Field(NamedTuple):
    """One property of the schema."""

    name: str
    check: Check
    is_required: bool
    is_nullable: bool
    blank: Any
    """What stands for null."""


@cache
def schema() -> dict[str, Any]:
    """The claim schema of the product."""
    text = files("pipeline.claims").joinpath("claim.schema.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


@cache
def fields() -> list[Field]:
    """Those of a claim."""
    return _fields(schema(), "")


def parse(line: bytes) -> dict[str, Any]:
    """The fields of a message. Raises BadClaim."""
    try:
        read = json.loads(
            line.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise BadClaim("invalid_utf8", "the message is not UTF-8") from None
    except (json.JSONDecodeError, InvalidOperation):
        raise BadClaim("invalid_json", "the message is not JSON") from None
    except RecursionError:
        raise BadClaim("nesting_too_deep", "the message is nested too deeply") from None
    if not isinstance(read, dict):
        raise BadClaim("not_an_object", "the message is not an object")
    if b"\\ud" in line:
        try:
            json.dumps(read, ensure_ascii=False, default=float).encode()
        except UnicodeEncodeError:
            raise BadClaim("lone_surrogate", "half of a surrogate pair") from None
    return read


def _refuse_constant(_text: str) -> None:
    raise BadClaim("non_finite_number", "a number is not finite")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise BadClaim("duplicate_key", "a key comes twice")
    return unique


def validate(message: dict[str, Any]) -> dict[str, Any]:
    """The claim, every field in its one spelling. Raises BadClaim."""
    return _checked(message, fields())


def _checked(message: dict[str, Any], known: list[Field]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name, check, is_required, is_nullable, blank in known:
        value = message.get(name)
        if is_required and name not in message:
            raise _violation(name, "required")
        if is_nullable and (value is None or value == ""):
            checked[name] = blank
        else:
            checked[name] = check(value)
    extra = {name: value for name, value in message.items() if name not in checked}
    checked["additional_fields"] = json.dumps(extra, default=float) if extra else None
    return checked


def _violation(name: str, text: str) -> BadClaim:
    return BadClaim("schema_violation", f"{name}: {text}")


def _fields(parent: Mapping[str, Any], prefix: str) -> list[Field]:
    required = parent.get("required", ())
    known = []
    for name, asked in parent["properties"].items():
        types = asked["type"]
        is_nullable = "null" in types
        blank: list[Any] | None = [] if "array" in types else None
        known.append(
            Field(name, _check(prefix + name, asked), name in required, is_nullable, blank)
        )
    return known


def _check(name: str, asked: Mapping[str, Any]) -> Check:
    types = asked["type"]
    if "array" in types:
        return _array(name, asked)
    if "object" in types:
        return _record(name, asked)
    if "integer" in types:
        return _integer(name, asked)
    if "number" in types:
        return _numeric(name, asked)
    return {"date": _date, "date-time": _timestamp}.get(asked.get("format", ""), _text)(name, asked)


def _text(name: str, asked: Mapping[str, Any]) -> Check:
    least, most = asked.get("minLength", 0), asked.get("maxLength", 1 << 30)

    def check(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise _violation(name, f"a text of {least} to {most} characters is needed")
        return value

    return check


def _decimal(name: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise _violation(name, "a number is needed")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _violation(name, "a number is needed") from None
    if not number.is_finite():
        raise _violation(name, "a number is needed")
    return number


def _numeric(name: str, asked: Mapping[str, Any]) -> Check:
    largest = Decimal(10) ** 29
    least, most = asked.get("minimum", -largest), asked.get("maximum", largest)

    def check(value: Any) -> str:
        number = _decimal(name, value)
        if not least <= number <= most:
            raise _violation(name, "out of range")
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -9:
            raise _violation(name, "too many decimals")
        return str(number)

    return check


def _integer(name: str, asked: Mapping[str, Any]) -> Check:
    least, most = asked.get("minimum", -(1 << 63)), asked.get("maximum", (1 << 63) - 1)
    listed = asked.get("enum")

    def check(value: Any) -> int:
        number = _decimal(name, value)
        if not least <= number <= most or number != int(number):
            raise _violation(name, f"an integer of {least} to {most} is needed")
        if listed is not None and number not in listed:
            raise _violation(name, "not one of the listed values")
        return int(number)

    return check


def _array(name: str, asked: Mapping[str, Any]) -> Check:
    check_item = _check(f"{name}[]", asked["items"])
    separator, most = asked.get("x-separator"), asked.get("maxItems", 1 << 30)

    def check(value: Any) -> list[Any]:
        if isinstance(value, str) and separator:
            value = [part.strip() for part in value.split(separator) if part.strip()]
        if not isinstance(value, list) or len(value) > most:
            raise _violation(name, f"an array of at most {most} is needed")
        return [check_item(item) for item in value]

    return check


def _record(name: str, asked: Mapping[str, Any]) -> Check:
    known = _fields(asked, f"{name}.")

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _violation(name, "an object is needed")
        return _checked(value, known)

    return check


def _date(name: str, _asked: Mapping[str, Any]) -> Check:
    def check(value: Any) -> str:
        try:
            if _PLAIN_DAY(value):
                return date.fromisoformat(value).isoformat()
            match = _DAY_WITH_TIME(value)
            day: str = match[1] if match else value
            if day[7:8] != "-":  # Python reads days of a week, too
                raise ValueError
            date.fromisoformat(day)
        except (TypeError, ValueError):
            raise _violation(name, "a date is needed") from None
        return day

    return check


def _timestamp(name: str, _asked: Mapping[str, Any]) -> Check:
    def check(value: Any) -> str:
        try:
            if datetime.fromisoformat(value).tzinfo is None:
                raise ValueError
        except (TypeError, ValueError):
            raise _violation(name, "a date-time is needed") from None
        return str(value)

    return check

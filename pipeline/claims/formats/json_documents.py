"""From the bytes of a message to the fields of a claim, without losing a digit.

`orjson` decides what is JSON. It keeps the last of two equal keys and reads numbers as doubles,
so that what it cannot tell apart is looked at again, exactly and slower, by the standard library.
"""

import codecs
import json
import re
from collections.abc import Callable, Collection
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson

from pipeline.claims.formats import unreadable
from pipeline.claims.message import Unreadable
from pipeline.claims.rejection import Rejection
from pipeline.claims.storable import exact_number

STAGE = "parse"

# Every reason why a message is not a claim at all: error code and text for people.
ERRORS = {
    "message_too_large": "the message is larger than 10 MiB",
    "empty_message": "the message is empty",
    "invalid_utf8": "the message is not UTF-8",
    "invalid_json": "the message is not JSON",
    "trailing_data": "extra data follows the JSON document",
    "non_finite_number": "a number is NaN, infinite or outside the range of a double",
    "lone_surrogate": "a string contains a lone surrogate",
    "nesting_too_deep": "arrays or objects are nested too deeply",
    "not_an_object": "the JSON document is not an object",
    "duplicate_key": "an object contains the same key twice",
}

_SPACE = b" \t\r\n"
_PYTHON_STYLE, _HEAD_BYTES = b'": ', 64
"""A space behind the first keys, as Python's `json` writes them: `orjson` would write none."""
_ESCAPE = ord("\\")
_EXACT_TOKEN = 17
"""Bytes that hold a number of at most 15 digits, sign, point and the `,` or `}` behind it.

Any decimal number of at most 15 digits survives the way through a double.
"""
_ROUNDED = {float, list, dict}
"""Types of what may hold a number that a double rounded."""
_LONG_NUMBER = re.compile(rb"[0-9.]{16}|[0-9][eE][+-]?[0-9]{3}")
"""Without a match no number has more than 15 digits, or an exponent that a double may lack."""


def rejection(code: str) -> Rejection:
    """The rejection of a message that is no claim at all."""
    return Rejection(STAGE, code, ERRORS.get(code) or unreadable.ERRORS[code])


def decode(
    data: bytes, exact: Collection[str], doubles: frozenset[str] | None = None
) -> dict[str, Any] | Rejection:
    """The fields of one message.

    `exact` names the fields whose numbers must keep every digit: what a double cannot hold
    comes back as a `Decimal`, never rounded. So it does in all fields that are not in `doubles`,
    at any depth, where that is given. A UTF-8 byte order mark is passed over.
    """
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return decoded_anew(data, error, lambda rest: decode(rest, exact, doubles))
    if type(fields) is not dict:
        return rejection("not_an_object")
    # What `orjson` writes as it read it, to the same byte, has lost nothing.
    if _PYTHON_STYLE not in data[:_HEAD_BYTES] and written(fields) == data:
        return fields
    packed = data.translate(None, _SPACE)
    # Each key of the text ends in `":`, so that an equal count leaves no room for a second key of
    # the same name; strings with `":` in them and nested objects only cost the slower look.
    if packed.count(b'":') != len(fields):
        return decode_exactly(data)
    if (
        doubles is not None
        and not doubles.issuperset(fields)
        and not _ROUNDED.isdisjoint([type(fields[name]) for name in fields.keys() - doubles])
        and _LONG_NUMBER.search(packed)
    ):
        return decode_exactly(data)
    for name in exact:
        if type(fields.get(name)) is float:
            key = _key(name)
            place = packed.find(key)
            start = place + len(key)
            token = packed[start : start + _EXACT_TOKEN]
            # A double of zero may be what is left of 1e-400.
            if place < 0 or not fields[name] or (b"," not in token and b"}" not in token):
                return decode_exactly(data)
            if packed[place - 1] == _ESCAPE:  # the end of another key
                return decode_exactly(data)
    return fields


def decoded_anew(
    data: bytes, error: orjson.JSONDecodeError, decode: Callable[[bytes], Any]
) -> Any | Rejection:
    """What `decode` makes of a message behind its UTF-8 byte order mark; else why it is refused."""
    if isinstance(data, Unreadable):
        return rejection(data.error_code)
    if data.startswith(codecs.BOM_UTF8) and not data.startswith(2 * codecs.BOM_UTF8):
        return decode(data[len(codecs.BOM_UTF8) :])
    return rejection(_diagnosis(data, error))


def written(document: Any) -> bytes | None:
    """A document as `orjson` writes it; None for one that is nested 255 levels deep."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return None


@lru_cache
def _key(name: str) -> bytes:
    return b'"%b":' % name.encode()


class _DuplicateKeyError(ValueError):
    pass


class _NonFiniteError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _DuplicateKeyError
    return fields


def _exact_integer(text: str) -> int | float | Decimal:
    """An integer of at most 64 bits as such, as `orjson` has it; a larger one as a number."""
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 64 else exact_number(text)


def exact_value(text: str) -> int | float | Decimal:
    """A number of JSON as `decode` returns it where every digit counts."""
    return _exact_integer(text) if text.lstrip("-").isdecimal() else exact_number(text)


def _refuse(_constant: str) -> None:
    raise _NonFiniteError


def decode_exactly(
    data: bytes,
    parse_int: Callable[[str], Any] | None = None,
    parse_float: Callable[[str], Any] | None = None,
) -> Any | Rejection:
    """What the standard library reads, each number by its text, and a key that stands twice."""
    try:
        return json.loads(
            data.decode(),
            parse_float=parse_float or exact_number,
            parse_int=parse_int or _exact_integer,
            object_pairs_hook=_unique,
        )
    except _DuplicateKeyError:
        return rejection("duplicate_key")
    except InvalidOperation:  # an exponent of twenty digits
        return rejection("non_finite_number")
    except RecursionError:
        return rejection("nesting_too_deep")


def _diagnosis(data: bytes, error: orjson.JSONDecodeError) -> str:
    """Why `orjson` refused a message, as an error code."""
    if not data.strip(_SPACE):
        return "empty_message"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    if "depth limit" in error.msg:
        return "nesting_too_deep"
    try:
        json.loads(text, parse_constant=_refuse, parse_int=float)
    except _NonFiniteError:
        return "non_finite_number"
    except RecursionError:
        return "nesting_too_deep"
    except json.JSONDecodeError as reference:
        return "trailing_data" if reference.msg == "Extra data" else "invalid_json"
    # The standard library takes two things that are not JSON as we know it.
    return "lone_surrogate" if "surrogate" in error.msg else "non_finite_number"

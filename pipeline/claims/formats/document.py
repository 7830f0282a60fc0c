"""JSON documents of any shape, as claim maps read them: no digit lost, no key twice."""

import codecs
import json
import re
from decimal import Decimal
from typing import Any

import orjson

from pipeline.claims.formats import json_documents as decode
from pipeline.claims.rejection import Rejection

_DIGITS = bytes(0 if chr(byte) in ".0123456789" else 1 for byte in range(256))
_WIDE = bytes(16)
"""A run of digits and points that a double, JSONata's only number, may not hold."""
_WIDE_NUMBER = re.compile(rb"[:\[,]\s*-?[0-9.]{16}")
_UNDERFLOW = re.compile(rb"[0-9][eE]-[0-9]{3}")
"""The end of a number that may be zero as a double."""
_ESCAPED = re.compile(rb"\\u00(?:22|3[aA])")
"""A quote or colon that `orjson` writes shorter."""
_SPACE = b" \t\r\n"
_EXACT_INTEGER = 1 << 53


class _DuplicateKeyError(ValueError):
    pass


def decode_document(data: bytes) -> Any:
    """The JSON object or array of a message, or the `Rejection` that the parse stage gives.

    A number that a double does not hold to the digit is given as its text: an id stays that id,
    and the contract takes numeric text for a number.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        twice = data.startswith(2 * codecs.BOM_UTF8)
        if data.startswith(codecs.BOM_UTF8) and not twice and type(data) is bytes:
            return decode_document(data[len(codecs.BOM_UTF8) :])
        return decode.decode(data, ())  # says why
    if type(document) is not dict and type(document) is not list:
        return decode.rejection("not_an_object")
    is_wide = _WIDE in data.translate(_DIGITS) and _WIDE_NUMBER.search(data)
    if b"e-" in data or b"E-" in data:
        is_wide = is_wide or _UNDERFLOW.search(data)
    if is_wide or not _has_all_keys(document, data):
        return _decode_exactly(data)
    return document


def _has_all_keys(document: Any, data: bytes) -> bool:
    """Whether `orjson` writes as many keys as it read: then none was there twice."""
    try:
        written = orjson.dumps(document)
    except orjson.JSONEncodeError:  # nested 255 levels deep
        return False
    if written == data:
        return True
    if b"\\u00" in data and _ESCAPED.search(data):
        return False
    return written.translate(None, _SPACE).count(b'":') == data.translate(None, _SPACE).count(b'":')


def _decode_exactly(data: bytes) -> Any | Rejection:
    try:
        return json.loads(
            data.decode(), parse_float=_float, parse_int=_int, object_pairs_hook=_unique
        )
    except _DuplicateKeyError:
        return decode.rejection("duplicate_key")
    except RecursionError:
        return decode.rejection("nesting_too_deep")


def _int(text: str) -> int | str:
    return int(text) if len(text) <= 17 and abs(int(text)) <= _EXACT_INTEGER else text


def _float(text: str) -> float | str:
    number = float(text)
    try:
        return number if Decimal(repr(number)) == Decimal(text) else text
    except ArithmeticError:  # an exponent of twenty digits
        return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _DuplicateKeyError
    return fields

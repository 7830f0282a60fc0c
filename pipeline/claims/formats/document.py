"""JSON documents of any shape, as claim maps read them: no digit lost, no key twice."""

import re
from decimal import Decimal
from typing import Any

import orjson

from pipeline.claims.formats import json_documents

_DIGITS = bytes(0 if chr(byte) in ".0123456789" else 1 for byte in range(256))
_WIDE = bytes(16)
"""A run of digits and points that a double, JSONata's only number, may not hold."""
_WIDE_NUMBER = re.compile(rb"[:\[,]\s*-?[0-9.]{16}")
_UNDERFLOW = re.compile(rb"[0-9][eE]-[0-9]{3}")
"""The end of a number so small that a double may hold it as zero."""
_ESCAPED = re.compile(rb"\\u00(?:22|3[aA])")
"""An escaped quote or colon, which `orjson` writes unescaped."""
_SPACE = b" \t\r\n"
_EXACT_INTEGER = 1 << 53


def decode_document(data: bytes) -> Any:
    """The JSON object or array of a message, or the `Rejection` that the parse stage gives.

    A number that a double does not hold to the digit is given as its text: an id stays that id,
    and the contract takes numeric text for a number.
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return json_documents.decoded_anew(data, error, decode_document)
    if type(document) is not dict and type(document) is not list:
        return json_documents.rejection("not_an_object")
    is_wide = _WIDE in data.translate(_DIGITS) and _WIDE_NUMBER.search(data)
    if is_wide or not _is_whole(document, data):
        return json_documents.decode_exactly(data, _int, _float)
    return document


def _is_whole(document: Any, data: bytes) -> bool:
    """Whether decoding lost nothing: no number became zero, and no key occurred twice."""
    written = json_documents.written(document)
    if written is None or written == data:
        return written is not None
    if _ESCAPED.search(data) or _UNDERFLOW.search(data):
        return False
    return written.translate(None, _SPACE).count(b'":') == data.translate(None, _SPACE).count(b'":')


def _int(text: str) -> int | str:
    return int(text) if len(text) <= 17 and abs(int(text)) <= _EXACT_INTEGER else text


def _float(text: str) -> float | str:
    number = float(text)
    try:
        return number if Decimal(repr(number)) == Decimal(text) else text
    except ArithmeticError:  # an exponent of twenty digits
        return text

"""What a message is, by the standard library's JSON parser and a few checks: the oracle of decode.

Its parser is in C, which the fuzzer does not see into; it sees into the one in Python, which reads
the message too. What makes that one do something new is worth mutating further.
"""

import contextlib
import json
import json.decoder
import json.scanner
import re
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any

MAX_LEVELS = 200
"""Beyond this the reference has no opinion: it takes some stack for each level."""
_LONGEST_EXPONENT = 18
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class NotAClaim(ValueError):
    """The message must be rejected."""


class NoOpinion(Exception):
    """The message may be accepted or not."""


class Number(str):
    """A number as it is spelt."""


def fields_of(data: bytes) -> dict[str, Any]:
    """The fields of a message, numbers as `Number`.

    Raises:
        NotAClaim: it is none.
        NoOpinion: see there.
    """
    try:
        text = data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise NotAClaim from None
    _look_at_depth(text)
    with contextlib.suppress(ValueError):
        _GUIDE.decode(text)  # its verdict does not count: it takes digits of any script, for one
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise NotAClaim from None
    if not isinstance(document, dict) or not _is_unicode(document):
        raise NotAClaim
    return document


def _look_at_depth(text: str) -> None:
    level = 0
    for token in _BRACKETS.findall(text):
        level += (token in "[{") - (token in "]}")
        if level > MAX_LEVELS:
            raise NoOpinion


def _number(text: str) -> Number:
    if len(text.lower().partition("e")[2]) > _LONGEST_EXPONENT:
        raise NoOpinion  # a double takes it for 0, a decimal takes it not at all
    if float(text) in (float("inf"), float("-inf")):
        raise NotAClaim
    return Number(text)


def _constant(_text: str) -> None:
    raise NotAClaim


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise NotAClaim
    return fields


def _is_unicode(value: Any) -> bool:
    """Whether no text in a document holds half a surrogate pair."""
    if isinstance(value, dict):
        return all(map(_is_unicode, value)) and all(map(_is_unicode, value.values()))
    if isinstance(value, list):
        return all(map(_is_unicode, value))
    return not (isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value))


def _guide() -> json.JSONDecoder:
    decoder = json.JSONDecoder()
    decoder.parse_string = json.decoder.py_scanstring
    decoder.scan_once = json.scanner.py_make_scanner(decoder)
    return decoder


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_constant
)
_GUIDE = _guide()


def is_same(value: Any, expected: Any, is_exact: bool = False) -> bool:
    """Whether a decoded value is what the reference read.

    With `is_exact` a number must have every digit of its text.
    """
    if isinstance(expected, Number):
        return _is_same_number(value, expected, is_exact)
    if isinstance(expected, dict):
        return (
            type(value) is dict
            and value.keys() == expected.keys()
            and all(is_same(value[name], expected[name]) for name in expected)
        )
    if isinstance(expected, list):
        return (
            type(value) is list
            and len(value) == len(expected)
            and all(map(is_same, value, expected))
        )
    return type(value) is type(expected) and value == expected


def _is_same_number(value: Any, text: str, is_exact: bool) -> bool:
    exact = Decimal(text)
    if text.lstrip("-").isdigit() and -(1 << 63) <= exact < 1 << 64:
        return type(value) is int and value == exact
    if type(value) is Decimal:
        return bool(value == exact)
    if type(value) is not float or value != float(text):
        return False
    return not is_exact or Decimal(repr(value)) == exact

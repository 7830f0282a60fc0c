"""One column of a row as a serialised protobuf field: the tag, and the value behind it.

A message is its fields one after the other (protobuf.dev, "Encoding"), and NULL is the absent
field, so that a row is the concatenation of what these functions give.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from itertools import chain, islice, repeat
from typing import Any, Final

from pipeline.claims.contract import Column
from pipeline.claims.storable import are_plain_numerics
from pipeline.sinks.bigquery.encode.wire_values import (
    CONVERSIONS,
    EXACT_TYPES,
    ValueRefused,
    days_of,
    microseconds_of,
)

FieldEncoder = Callable[[Any], bytes]
"""Value to field. Raises TypeError, ValueError, OverflowError or struct.error where the column
cannot hold the value."""
ColumnEncoder = Callable[[Sequence[Any]], Iterable[bytes]]
"""The values of several rows in one column to their fields; raises what a field encoder does."""
Null = Callable[[], bytes]
"""The field of None, or the refusal of it."""

_VARINT, _FIXED64, _DELIMITED = 0, 1, 2  # wire types
_SHORT: Final = 128
"""Lengths from here on take more than one byte."""
_MAX_INTEGER: Final = 1 << 63
_PAIR_BITS: Final = 14
_PAIR: Final = (1 << _PAIR_BITS) - 1
_UPPER_HALF: Final = 1 << 2 * _PAIR_BITS
_REMEMBERED_HALVES: Final = 1024
_MORE = [0, *(int.from_bytes(bytes([128] * more + [0]), "little") for more in range(8))]
"""By size: the bit in each byte but the last that says that more come."""
_pack_double = struct.Struct("<d").pack


def varint(number: int) -> bytes:
    """An integer of 64 bits, seven bits a byte; a negative one as its two's complement."""
    if 0 <= number < 1 << 56:
        size = (number.bit_length() + 6) // 7 or 1
        # Halves, quarters, eighths move apart until each seven bits have a byte of their own.
        number = number & 0xFFFFFFF | (number & 0xFFFFFFF0000000) << 4
        number = number & 0x3FFF00003FFF | (number & 0xFFFC0000FFFC000) << 2
        number = number & 0x7F007F007F007F | (number & 0x3F803F803F803F80) << 1
        return (number | _MORE[size]).to_bytes(size, "little")
    number &= (1 << 64) - 1
    low = number & (1 << 49) - 1 | 1 << 49  # seven bytes, and an eighth that is not used
    return varint(low)[:7] + varint(number >> 49)


def _refuse_null() -> bytes:
    raise ValueRefused("required_missing")


def field_encoder(
    column: Column, number: int, encode_record: Callable[[Any], bytes]
) -> FieldEncoder:
    """The encoder of one column; of a REPEATED one, that of an item.

    Args:
        column: what it holds.
        number: of the field, from 1.
        encode_record: encodes what a RECORD column holds.
    """
    null = bytes if column.mode == "NULLABLE" else _refuse_null
    encode: Callable[[Any], bytes]
    match column.type:
        case "BOOLEAN":
            return _boolean(_tag(number, _VARINT), null)
        case "FLOAT":
            return _double(_tag(number, _FIXED64), null)
        case "INTEGER":
            return _integer(_tag(number, _VARINT), null)
        case "DATE":
            return _date(_tag(number, _VARINT), null)
        case "TIMESTAMP":
            return _timestamp(_tag(number, _VARINT), null)
        case "BYTES":
            encode = _exact_bytes
        case "RECORD":
            encode = encode_record
        case "STRING" | "JSON" | "GEOGRAPHY":
            encode = _utf8
        case other:
            encode = _utf8_of(CONVERSIONS[other])
    return _delimited(_tag(number, _DELIMITED), null, encode)


def column_encoder(column: Column, number: int, encode: FieldEncoder) -> ColumnEncoder:
    """The encoder of a column that is not REPEATED; `encode` is that of one value."""
    if column.type in ("STRING", "JSON", "GEOGRAPHY"):
        return _short_texts(_tag(number, _DELIMITED), encode)
    if column.type == "NUMERIC":
        return _plain_numerics(_short_texts(_tag(number, _DELIMITED), encode), encode)
    return partial(map, encode)


def _tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


_utf8: Callable[[Any], bytes] = str.encode


def _utf8_of(convert: Callable[[Any], str]) -> Callable[[Any], bytes]:
    return lambda value: convert(value).encode()


def _exact_bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise ValueRefused("wrong_type")
    return value


def _boolean(tag: bytes, null: Null) -> FieldEncoder:
    true, false = tag + b"\1", tag + b"\0"

    def encode(value: Any) -> bytes:
        if value is False:
            return false
        if value is True:
            return true
        if value is None:
            return null()
        raise ValueRefused("wrong_type")

    return encode


def _double(tag: bytes, null: Null) -> FieldEncoder:
    types = EXACT_TYPES["FLOAT"]

    def encode(value: Any) -> bytes:
        if value is None:
            return null()
        if type(value) not in types:
            raise ValueRefused("wrong_type")
        return tag + _pack_double(value)

    return encode


def _integer(tag: bytes, null: Null) -> FieldEncoder:
    short = [tag + bytes((number,)) for number in range(_SHORT)]

    def encode(value: Any) -> bytes:
        if value is None:
            return null()
        if type(value) is not int:
            raise ValueRefused("wrong_type")
        if 0 <= value < _SHORT:
            return short[value]
        if not -_MAX_INTEGER <= value < _MAX_INTEGER:
            raise ValueRefused("out_of_range")
        return tag + varint(value)

    return encode


def _date(tag: bytes, null: Null) -> FieldEncoder:
    return lambda value: null() if value is None else tag + varint(days_of(value))


def _timestamp(tag: bytes, null: Null) -> FieldEncoder:
    """Two look-ups make the lower 28 bits; all times of the same 268 s share the upper ones."""
    pairs = _pairs_of_bytes()
    upper_half = lru_cache(_REMEMBERED_HALVES)(varint)

    def encode(value: Any) -> bytes:
        if value is None:
            return null()
        number = microseconds_of(value)
        if number < _UPPER_HALF:
            return tag + varint(number)
        lower = pairs[number & _PAIR] + pairs[number >> _PAIR_BITS & _PAIR]
        return tag + lower + upper_half(number // _UPPER_HALF)

    return encode


@cache
def _pairs_of_bytes() -> list[bytes]:
    """14 bits as two bytes of seven, after which more come."""
    return [bytes((pair & 127 | 128, pair >> 7 | 128)) for pair in range(_PAIR + 1)]


def _delimited(tag: bytes, null: Null, encode_data: Callable[[Any], bytes]) -> FieldEncoder:
    """Text, bytes and records, each preceded by its size."""
    heads = _heads(tag)

    def encode(value: Any) -> bytes:
        if value is None:
            return null()
        data = encode_data(value)
        size = len(data)
        if size < _SHORT:
            return heads[size] + data
        return b"".join((tag, varint(size), data))

    return encode


def _heads(tag: bytes) -> list[bytes]:
    """The bytes before the data of a field, by the size of the data."""
    return [tag + bytes((size,)) for size in range(_SHORT)]


def _short_texts(tag: bytes, encode: FieldEncoder) -> ColumnEncoder:
    head_of = _heads(tag).__getitem__

    def encode_column(values: Sequence[Any]) -> Iterable[bytes]:
        try:
            data = list(map(_utf8, values))
            return list(map(bytes.__add__, map(head_of, map(len, data)), data))
        except (TypeError, IndexError):  # a null, or a long text
            return map(encode, values)

    return encode_column


def _plain_numerics(encode_texts: ColumnEncoder, encode: FieldEncoder) -> ColumnEncoder:
    def encode_column(values: Sequence[Any]) -> Iterable[bytes]:
        try:
            are_plain = are_plain_numerics(values)
        except TypeError:  # no text
            are_plain = False
        return encode_texts(values) if are_plain else map(encode, values)

    return encode_column


def repeated(encode_item: FieldEncoder) -> FieldEncoder:
    """The encoder of an array: a field for each item."""
    types = EXACT_TYPES["REPEATED"]

    def encode(values: Any) -> bytes:
        if type(values) not in types:
            raise ValueRefused("wrong_type")
        return b"".join(map(encode_item, values)) if values else b""

    return encode


def arrays(encode: FieldEncoder) -> ColumnEncoder:
    """The encoder of a REPEATED column; `encode` takes an array as a tuple."""
    types = set(EXACT_TYPES["REPEATED"][:2])

    def encode_column(values: Sequence[Any]) -> Iterable[bytes]:
        if not types.issuperset(map(type, values)):
            return map(encode, (tuple(v) if type(v) is list else v for v in values))
        return map(encode, map(tuple, values))

    return encode_column


def records(
    number: int, encode_rows: Callable[[Sequence[Any]], list[bytes]], encode: FieldEncoder
) -> ColumnEncoder:
    """The encoder of a REPEATED column of records, all records of the rows in one go.

    Args:
        number: of the field, from 1.
        encode_rows: encodes records.
        encode: encodes the array of one row.
    """
    tag, types = _tag(number, _DELIMITED), set(EXACT_TYPES["REPEATED"][:2])

    def encode_column(values: Sequence[Any]) -> Iterable[bytes]:
        if not types.issuperset(map(type, values)):
            return map(encode, values)
        data = encode_rows(list(chain.from_iterable(values)))
        fields = map(b"".join, zip(repeat(tag), map(varint, map(len, data)), data))
        return [b"".join(islice(fields, len(items))) for items in values]

    return encode_column

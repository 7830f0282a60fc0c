"""Encodes rows as protobuf messages, by a table's columns.

A row is put together from its fields, most of which are remembered: protobuf's own classes, which
set and check field by field, took twice as long.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import call, itemgetter
from typing import Any, Final

from google.protobuf.message import Message

from pipeline.claims.columns import Rows, are_empty
from pipeline.claims.contract import Column
from pipeline.claims.memory import Memory
from pipeline.sinks.bigquery.encode.field_encoders import (
    ColumnEncoder,
    FieldEncoder,
    arrays,
    column_encoder,
    field_encoder,
    records,
    repeated,
)
from pipeline.sinks.bigquery.encode.row_refusals import RowRefused, violation, violations_of
from pipeline.sinks.bigquery.encode.row_schema import message_class, row_descriptor
from pipeline.sinks.bigquery.encode.wire_values import EXACT_TYPES, ValueRefused

_RECURRING: Final = {"STRING", "GEOGRAPHY", "JSON", "DATE", "TIME", "DATETIME", "TIMESTAMP"}
"""Types of text, whose fields are worth remembering; numbers are not, as 1 is True to a dict."""
_REMEMBERED: Final = 1024
"""Values of a column whose fields are kept."""
_SMALL: Final = 100
"""Bytes of the largest field that is kept."""
_EMPTY: Final[dict[str, tuple[type, ...]]] = {
    "REQUIRED": (),
    "NULLABLE": (type(None),),
    "REPEATED": EXACT_TYPES["REPEATED"],
}
"""By mode: types of values that may stand for nothing."""
_REFUSALS: Final = (TypeError, ValueError, AttributeError, OverflowError, struct.error)
"""What field encoders raise."""


class RowEncoder:
    """Encodes the rows of one table. For one thread, and not picklable: each makes its own."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Compile the columns."""
        self.writer_schema = row_descriptor(columns)
        self._message_class = message_class(self.writer_schema)
        self._columns = {column.name: column for column in columns}
        self._record = _Record(columns)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes | RowRefused]:
        """Each row serialised, or why it cannot be: a value that does not fit, or is missing."""
        try:
            return list(self._record.encode_rows(rows))
        except _REFUSALS:  # a look at one row after the other shows which one it is
            return list(map(self._encode_alone, rows))

    def _encode_alone(self, row: Mapping[str, Any]) -> bytes | RowRefused:
        try:
            return self._record.encode(row)
        except _REFUSALS:
            violations = tuple(violations_of(row, self._columns))
            return RowRefused(violations or (violation("", "not_encodable"),))

    def decode(self, data: bytes) -> Message:
        """The message of a row that `encode` made."""
        return self._message_class.FromString(data)


class _Record:
    """Encodes rows, or the records in one column."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._values_of = _values_getter(self._names)
        self._encoders: list[FieldEncoder] = []
        self._column_encoders: list[ColumnEncoder] = []
        for number, column in enumerate(columns, 1):
            record = _Record(column.fields)
            encode = field_encoder(column, number, record.encode)
            if column.mode == "REPEATED":
                encode = repeated(encode)
                encode_column: ColumnEncoder = partial(map, encode)
                if column.type == "RECORD":
                    encode_column = records(number, record.encode_rows, encode)
            else:
                encode_column = column_encoder(column, number, encode)
            if column.type in _RECURRING:
                encode = _Fields(encode, encode_column, self, number - 1).__getitem__
                encode_column = partial(map, encode)
                if column.mode == "REPEATED":
                    encode, encode_column = _hashable(encode), arrays(encode)
            self._encoders.append(encode)
            self._column_encoders.append(encode_column)
        self._empty_types = [_EMPTY[column.mode] for column in columns]
        self.encoded = 0
        """Rows so far."""

    def encode(self, row: Mapping[str, Any]) -> bytes:
        """The fields one after the other; raises what a field encoder does."""
        return b"".join(map(call, self._encoders, *self._values([row])))

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
        """Rows, column by column: in half the time."""
        # A column that is empty in all rows, as most of those for hospitals are in other claims,
        # adds nothing. The last ones are often the same in all rows, as versions: encoded once.
        columns = [
            (encode, encode_column, values)
            for encode, encode_column, types, values in zip(
                self._encoders,
                self._column_encoders,
                self._empty_types,
                self._columns_of(rows),
                strict=True,
            )
            if not (type(values[0]) in types and are_empty(values))
        ]
        same = b""
        while columns and _is_one_text(columns[-1][-1]):
            encode, _, values = columns.pop()
            same = encode(values[0]) + same
        # Each column to its end, so that what it needs stays in the processor's cache.
        fields = [list(encode_column(values)) for _, encode_column, values in columns]
        return list(map(b"".join, zip(*fields, [same] * len(rows), strict=True)))

    def _columns_of(self, rows: Sequence[Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
        if isinstance(rows, Rows) and rows.columns.keys() == set(self._names):
            self.encoded += len(rows)
            return map(rows.columns.__getitem__, self._names)
        return zip(*self._values(rows), strict=True)

    def _values(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        self.encoded += len(rows)
        try:
            values = list(map(self._values_of, rows))
        except KeyError:
            return list(map(self._sparse, rows))
        if set(map(len, rows)) != {len(self._names)}:
            raise ValueRefused("unknown_column")
        return values

    def _sparse(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of a row that lacks some."""
        if not row.keys() <= set(self._names):
            raise ValueRefused("unknown_column")
        return tuple(map(row.get, self._names))

    def replace(self, place: int, encode: FieldEncoder, encode_column: ColumnEncoder) -> None:
        """Encode one column in another way from now on."""
        self._encoders[place] = encode
        self._column_encoders[place] = encode_column


def _is_one_text(values: Sequence[Any]) -> bool:
    """Whether all values are the same text."""
    return type(values[0]) is str and values.count(values[0]) == len(values)


def _values_getter(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """All values of a row that has them; `itemgetter` of one name gives no tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)


def _hashable(encode: FieldEncoder) -> FieldEncoder:
    return lambda values: encode(tuple(values) if type(values) is list else values)


class _Fields(Memory[Any, bytes]):
    """Fields of one column by value. It switches itself off where values rarely repeat."""

    def __init__(
        self, encode: FieldEncoder, encode_column: ColumnEncoder, record: _Record, place: int
    ) -> None:
        super().__init__(encode, _REMEMBERED, _is_small)
        self._switch_off = partial(record.replace, place, encode, encode_column)
        self._record = record
        self._begun = 0

    def make_room(self) -> None:
        """Forget the fields, and switch off if they served few rows."""
        super().make_room()
        rows = self._record.encoded - self._begun
        self._begun += rows
        if rows < 2 * _REMEMBERED:
            self._switch_off()


def _is_small(_value: Any, field: bytes) -> bool:
    return len(field) <= _SMALL

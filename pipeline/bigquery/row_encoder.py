"""Encodes rows as protobuf messages, by a table's columns.

The message class is made at run time and protobuf's C code does the encoding: it was measured
against encoders written out column by column in Python, and none was faster.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from google.protobuf.message import EncodeError, Message

from pipeline.bigquery.row_refusals import RowRefused, violation, violations_of
from pipeline.bigquery.row_schema import message_class, row_descriptor
from pipeline.bigquery.wire_values import (
    CONVERSIONS,
    EXACT_TYPES,
    ValueRefused,
    recurring_microseconds_of,
)
from pipeline.claims.contract import Column

Conversion = Callable[[Any], Any]


class RowEncoder:
    """Encodes the rows of one table. Not picklable: each worker makes its own."""

    def __init__(self, columns: Sequence[Column], recurring: frozenset[str] = frozenset()) -> None:
        """Compile the columns.

        Args:
            columns: the table's columns.
            recurring: TIMESTAMP columns whose values repeat from row to row.
        """
        self.writer_schema = row_descriptor(columns)
        self.message_class = message_class(row_descriptor(columns, required=True))
        self._columns = {column.name: column for column in columns}
        self._prepare = _Preparation(columns, recurring)

    def encode(self, row: Mapping[str, Any]) -> bytes:
        """One row, serialised.

        Raises:
            RowRefused: a value does not fit its column, or a required one is missing.
        """
        try:
            data: bytes = self.message_class(**self._prepare(row)).SerializeToString()
            return data
        except (TypeError, ValueError, AttributeError, OverflowError, EncodeError):
            violations = tuple(violations_of(row, self._columns))
            raise RowRefused(violations or (violation("", "not_encodable"),)) from None

    def decode(self, data: bytes) -> Message:
        """The message of a row that `encode` made."""
        return self.message_class.FromString(data)


class _Preparation:
    """Makes of rows, or of the records in one column, what the message class takes."""

    def __init__(self, columns: Sequence[Column], recurring: frozenset[str] = frozenset()) -> None:
        self._exact = tuple(
            (column.name, EXACT_TYPES[kind])
            for column in columns
            for kind in ("REPEATED" if column.mode == "REPEATED" else column.type,)
            if kind in EXACT_TYPES
        )
        self._conversions = tuple(_conversions(columns, recurring))

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        values = dict(row)
        value_of = values.get
        for name, types in self._exact:
            if value_of(name).__class__ not in types:
                raise ValueRefused("wrong_type")
        for name, convert in self._conversions:
            value = value_of(name)
            if value is not None:
                values[name] = convert(value)
        return values


def _conversions(
    columns: Sequence[Column], recurring: frozenset[str]
) -> Iterator[tuple[str, Conversion]]:
    for column in columns:
        convert = CONVERSIONS.get(column.type)
        if column.name in recurring and column.type == "TIMESTAMP":
            convert = recurring_microseconds_of
        elif column.type == "RECORD":
            convert = _Preparation(column.fields)
        elif column.mode == "REPEATED" and column.type in EXACT_TYPES:
            convert = partial(_exact_value, EXACT_TYPES[column.type])
        if convert is not None:
            repeated = column.mode == "REPEATED"
            yield column.name, partial(_each, convert) if repeated else convert


def _each(convert: Conversion, values: Sequence[Any]) -> list[Any]:
    return [convert(value) for value in values]


def _exact_value(types: tuple[type, ...], value: Any) -> Any:
    if value.__class__ not in types:
        raise ValueRefused("wrong_type")
    return value

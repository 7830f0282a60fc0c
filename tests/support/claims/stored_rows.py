"""Rows of the claims table as BigQuery gives them back, in Arrow's types."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipeline.claims.contract import Column

_TYPES = {
    "STRING": pa.string(),
    "JSON": pa.string(),
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _day(value: str | int) -> date:
    """Of a text, or of the days since 1970 that go over the wire."""
    if isinstance(value, int):
        return (_EPOCH + timedelta(days=value)).date()
    return date.fromisoformat(value)


def _moment(value: str | int) -> datetime:
    """Of a text, or of the microseconds since 1970 that go over the wire."""
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value)
    return datetime.fromisoformat(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "NUMERIC": Decimal,
    "BIGNUMERIC": Decimal,
    "DATE": _day,
    "TIMESTAMP": _moment,
}


def stored(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> pa.Table:
    """Rows as the pipeline writes them, in a table of these columns."""
    return pa.table(
        {
            column.name: pa.array(
                [_value(column, row.get(column.name)) for row in rows], _type(column)
            )
            for column in columns
        }
    )


def _type(column: Column) -> pa.DataType:
    kind = (
        pa.struct([(field.name, _type(field)) for field in column.fields])
        if column.fields
        else _TYPES[column.type]
    )
    return pa.list_(kind) if column.mode == "REPEATED" else kind


def _value(column: Column, value: Any) -> Any:
    if column.mode == "REPEATED":
        return [_single(column, each) for each in value or ()]
    return _single(column, value)


def _single(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.fields:
        return {field.name: _value(field, value.get(field.name)) for field in column.fields}
    return _READ[column.type](value) if column.type in _READ else value

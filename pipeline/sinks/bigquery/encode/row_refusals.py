"""Why a row cannot be encoded: examines a refused row column by column, slowly."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.claims.contract import Column
from pipeline.claims.rejection import Violation
from pipeline.sinks.bigquery.encode.row_schema import message_class, row_descriptor
from pipeline.sinks.bigquery.encode.wire_values import (
    CONVERSIONS,
    EXACT_TYPES,
    REFUSALS,
    ValueRefused,
)


class RowRefused(NamedTuple):
    """What is wrong with a row that cannot be encoded: one violation or more."""

    violations: tuple[Violation, ...]


def violation(path: str, code: str) -> Violation:
    return Violation(path, code, REFUSALS[code])


def violations_of(
    row: Mapping[str, Any], columns: Mapping[str, Column], prefix: str = ""
) -> Iterator[Violation]:
    """Why a row is refused, column by column; slow, for rows that `encode` refused."""
    if row.keys() - columns.keys():
        yield violation(prefix.rstrip("."), "unknown_column")
    for name, column in columns.items():
        path, value = prefix + name, row.get(name)
        if value is None:
            if column.mode == "REQUIRED":
                yield violation(path, "required_missing")
        elif column.mode != "REPEATED":
            yield from _value_violations(value, column, path)
        elif not isinstance(value, (list, tuple)):
            yield violation(path, "wrong_type")
        else:
            for item in value:
                if item is None:
                    yield violation(f"{path}[]", "null_in_array")
                else:
                    yield from _value_violations(item, column, f"{path}[]")


def _value_violations(value: Any, column: Column, path: str) -> Iterator[Violation]:
    if column.type == "RECORD":
        if isinstance(value, Mapping):
            nested = {field.name: field for field in column.fields}
            yield from violations_of(value, nested, f"{path}.")
        else:
            yield violation(path, "wrong_type")
        return
    single = Column(column.name, column.type)
    try:
        if value.__class__ not in EXACT_TYPES.get(column.type, (value.__class__,)):
            raise ValueRefused("wrong_type")
        convert = CONVERSIONS.get(column.type)
        converted = value if convert is None else convert(value)
        message_class(row_descriptor([single]))(**{column.name: converted})
    except ValueRefused as refused:
        yield violation(path, refused.code)
    except UnicodeError:
        yield violation(path, "not_unicode")
    except (TypeError, AttributeError):
        yield violation(path, "wrong_type")
    except (ValueError, OverflowError):
        yield violation(path, "out_of_range")

"""Claims as rules see them, made from columns of the claims table again.

A row of the table has every value that the rules saw when they scored its message, in the types of
BigQuery. Two things are lost on the way to the table, and so are rules that look at them: how a
TIMESTAMP was written, and that a number with more digits than a double in a JSON column was a
number. Where fields were replaced by pseudonyms, rules see the pseudonyms.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson

from pipeline.claims.age import with_ages
from pipeline.claims.columns import Columns
from pipeline.claims.contract import ADDITIONAL_FIELDS, Column, Contract
from pipeline.claims.storable import exact_number

_REMEMBERED: Final = 65_536
"""Numbers and dates whose claim values are kept."""


@lru_cache(_REMEMBERED)
def _number(value: Decimal) -> Any:
    """A NUMERIC as the number that a claim has: an integer, a double, or a Decimal."""
    number = exact_number(f"{value.normalize():f}")
    return int(number) if number == int(number) else number


@lru_cache(_REMEMBERED)
def _day(value: date) -> str:
    return value.isoformat()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_CONVERTED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "NUMERIC": _number,
    "BIGNUMERIC": _number,
    "DATE": _day,
    "TIMESTAMP": _moment,
    "JSON": orjson.loads,
}
"""By the type of a column, where BigQuery's value is not the claim's."""


class StoredClaims:
    """Makes claims of rows."""

    def __init__(self, contract: Contract) -> None:
        """The contract says which columns claims have."""
        self._columns = contract.columns
        self._blank = contract.blank

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are read, where the table has them."""
        return tuple(column.name for column in self._columns)

    def claims(self, rows: Columns) -> Columns:
        """The claims of rows, by column, as they stood when they were scored.

        Args:
            rows: values as Arrow gives them; a column that the table lacks is blank.
        """
        size = len(next(iter(rows.values())))
        claims: dict[str, Sequence[Any]] = {}
        for column in self._columns:
            values = rows.get(column.name)
            claims[column.name] = (
                [self._blank[column.name]] * size if values is None else _converted(column, values)
            )
        return {**claims, **with_ages(claims)}


def _converted(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    convert = _CONVERTED.get(column.type)
    if column.mode == "REPEATED":
        if column.fields:
            return [[_record(column.fields, each) for each in value or ()] for value in values]
        if convert is None:
            return [value or [] for value in values]
        return [list(map(convert, value or ())) for value in values]
    if convert is None:
        return values
    return [None if value is None else convert(value) for value in values]


def _record(fields: Sequence[Column], record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as a claim has it: every field, and what is unknown as JSON text."""
    made = {}
    for field in fields:
        value = record.get(field.name)
        if field.mode == "REPEATED":
            made[field.name] = value or []
        elif value is None or field.name == ADDITIONAL_FIELDS or field.type == "JSON":
            made[field.name] = value
        else:
            convert = _CONVERTED.get(field.type)
            made[field.name] = value if convert is None else convert(value)
    return made

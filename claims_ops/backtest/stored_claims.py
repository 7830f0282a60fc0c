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
from pipeline.claims.columns import Columns, empty
from pipeline.claims.contract import Column, Contract
from pipeline.claims.rules import Rules, fields_read
from pipeline.claims.signals.table import SIGNALS
from pipeline.claims.storable import exact_number

_REMEMBERED: Final = 65_536
"""Numbers and dates whose claim values are kept."""


@lru_cache(_REMEMBERED)
def _number(value: Decimal) -> Any:
    """A NUMERIC as the number that a claim has: an integer, a double, or a Decimal."""
    whole = int(value)
    return whole if whole == value else exact_number(f"{value:f}")


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

    def claims(self, rows: Columns) -> Columns:
        """The claims of rows, by column, as they stood when they were scored.

        Args:
            rows: values as Arrow gives them; a column that is not there is blank.
        """
        size = len(next(iter(rows.values())))
        claims: dict[str, Sequence[Any]] = {}
        for column in self._columns:
            values = rows.get(column.name)
            claims[column.name] = (
                empty(size, column.mode == "REPEATED")
                if values is None
                else _converted(column, values)
            )
        return {**claims, **with_ages(claims)}


def columns_read(rules: Rules) -> frozenset[str]:
    """The columns of the table that rules need, through their signals too."""
    names = {name for name in _read(rules) if name not in SIGNALS}
    if "patient_age" in names:  # made of these where it is missing
        names |= {"patient_birth_date", "service_date"}
    return frozenset(names)


def files_read(rules: Rules) -> frozenset[str]:
    """The reference files that rules need, by the names of the launch parameters."""
    sources = (SIGNALS[name].source for name in _read(rules) if name in SIGNALS)
    return frozenset(source for source in sources if source)


def _read(rules: Rules) -> set[str]:
    """Fields and signals that rules look at, and those that these signals are made of."""
    names: set[str] = set()
    left = [name for rule in (*rules.risk, *rules.quality) for name in fields_read(rule.when) or ()]
    while left:
        name = left.pop()
        names.add(name)
        if name in SIGNALS:
            left += SIGNALS[name].reads
    return names


def _converted(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    convert = _CONVERTED.get(column.type)
    if column.mode == "REPEATED":
        if column.fields:
            record = _Record(column.fields)
            return [list(map(record.of, value)) if value else [] for value in values]
        if convert is None:
            return [value or [] for value in values]
        return [list(map(convert, value or ())) for value in values]
    if convert is None:
        return values
    return [None if value is None else convert(value) for value in values]


class _Record:
    """Makes records as a claim has them: every field, and JSON as text."""

    def __init__(self, fields: Sequence[Column]) -> None:
        self._blank: dict[str, Any] = {
            each.name: [] if each.mode == "REPEATED" else None for each in fields
        }
        self._converted = [
            (each.name, _CONVERTED[each.type])
            for each in fields
            if each.type in _CONVERTED and each.type != "JSON" and each.mode != "REPEATED"
        ]
        self._arrays = [each.name for each in fields if each.mode == "REPEATED"]

    def of(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The record of a stored one."""
        record = {**self._blank, **stored}
        for name, convert in self._converted:
            value = record[name]
            if value is not None:
                record[name] = convert(value)
        for name in self._arrays:
            record[name] = record[name] or []
        return record

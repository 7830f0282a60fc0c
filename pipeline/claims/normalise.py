"""One spelling for each claim: what producers write differently and mean alike."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pipeline.claims.contract import Column, Contract, Fields, is_nullable
from pipeline.claims.storable import exact_number

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_PLAIN_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
"""As X12 and HL7 have it. No other order of day, month and year of this time is one, too: the
first digits of its year would be the month."""
# Where an offset is left out, minutes or seconds are, or a blank stands for the T, systems that
# claims come from write so (PostgreSQL, BigQuery, Python, HL7 tools), and each has one meaning.
_DAY_WITH_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"[Tt ]((?:[01]\d|2[0-3]):[0-5]\d)(?:(:(?:[0-5]\d|60))(?:(\.\d{1,6}+)\d*+)?)?"
    r" ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_LARGEST_EXPONENT = 40
"""No column holds a number with more digits; a larger one is left to the validator."""


def _text(value: Any) -> Any:
    """Integers as text: identifiers and codes that a producer keeps as numbers."""
    return str(value) if type(value) is int and abs(value) < 10**_LARGEST_EXPONENT else value


def _number(value: Any) -> Any:
    """Numeric text as a number, to the last digit."""
    if type(value) is str and len(value) <= 2 * _LARGEST_EXPONENT and _NUMBER.fullmatch(value):
        exact = Decimal(value)
        if abs(exact.adjusted()) <= _LARGEST_EXPONENT:
            return _integral(exact_number(value))
    return value


def _integral(value: Any) -> Any:
    """Integral numbers as integers: `45.0`."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
    elif type(value) is float and value.is_integer():
        return int(value)
    return value


def _integer(value: Any) -> Any:
    return _integral(_number(value))


def _double(value: Any) -> Any:
    """A number for a FLOAT column, which holds doubles by its nature."""
    value = _number(value)
    return float(value) if isinstance(value, Decimal) else value


def _date(value: Any) -> Any:
    """The day of a date-time, as its own offset tells it, and without one all the same."""
    if type(value) is not str:
        return value
    if match := _PLAIN_DAY.fullmatch(value):
        return "-".join(match.groups())
    match = _DAY_WITH_TIME.fullmatch(value)
    return match[1] if match else value


def _timestamp(value: Any) -> Any:
    """RFC 3339 in upper case and to the microsecond, which is all that a TIMESTAMP holds.

    Without an offset it is left as it is, for nobody knows which instant it means.
    """
    match = _DAY_WITH_TIME.fullmatch(value) if type(value) is str else None
    if not match or not match[5]:
        return value
    day, minute, second, fraction, offset = match.groups()
    if offset[0] in "+-":
        offset = f"{offset[:3]}:{offset[3:].removeprefix(':') or '00'}"
    else:
        offset = "Z"
    return f"{day}T{minute}{second or ':00'}{fraction or ''}{offset}"


_SPELLINGS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": _text,
    "INTEGER": _integer,
    "NUMERIC": _number,
    "BIGNUMERIC": _number,
    "FLOAT": _double,
    "DATE": _date,
    "TIMESTAMP": _timestamp,
}


def _as_it_is(value: Any) -> Any:
    return value


def _list_of(spell: Callable[[Any], Any], separator: str | None) -> Callable[[Any], Any]:
    def spell_list(value: Any) -> Any:
        if type(value) is str and separator:
            value = [part for part in map(str.strip, value.split(separator)) if part]
        return [spell(item) for item in value] if type(value) is list else value

    return spell_list


def _speller(
    column: Column, schema: Mapping[str, Any], record: Fields | None
) -> Callable[[Any], Any]:
    spell = normaliser(record) if record else _SPELLINGS.get(column.type, _as_it_is)
    if column.mode == "REPEATED":
        spell = _list_of(spell, schema.get("x-separator"))
    if not is_nullable(schema):
        return spell
    null: list[Any] | None = [] if column.mode == "REPEATED" else None
    return lambda value: null if value is None or value == "" else spell(value)


def normaliser(fields: Fields) -> Callable[[Any], Any]:
    """Gives claims of a contract, or records of one, anew: each field in its one spelling.

    That never changes a meaning, and never raises; what is no object stays as it is.
    """
    records = fields.records if isinstance(fields, Contract) else {}
    spellers = [
        (column.name, _speller(column, fields.properties[column.name], records.get(column.name)))
        for column in fields.columns
        if column.name in fields.properties
    ]

    def normalise(value: Any) -> Any:
        if type(value) is not dict:
            return value
        spelt = dict(value)
        for name, spell in spellers:
            if name in spelt:
                spelt[name] = spell(spelt[name])
        return spelt

    return normalise

"""Records within a claim, such as service lines: every field of the contract in each of them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pipeline.claims.contract import ADDITIONAL_FIELDS, Fields
from pipeline.claims.storable import NumbersAsText, decimal_text, decimal_texts, json_column

Record = dict[str, Any]

MISSPELT: Mapping[str, set[type]] = {"INTEGER": {float, Decimal}, "FLOAT": {Decimal}}
"""Types of values that JSON Schema takes for a column's, in another spelling: 45.0 for 45."""


def is_misspelt(records: Sequence[Record], fields: Fields) -> bool:
    """Whether a value in valid records has another spelling than its column's."""
    for name, types in _misspelt(fields):
        for record in records:
            value = record.get(name)
            if type(value) in types or (
                type(value) is list and not types.isdisjoint(map(type, value))
            ):
                return True
    return False


@lru_cache
def _misspelt(fields: Fields) -> list[tuple[str, set[type]]]:
    """The fields that may be misspelt, each with the types of what is."""
    return [
        (column.name, MISSPELT[column.type]) for column in fields.columns if column.type in MISSPELT
    ]


def complete(records: Sequence[Record], fields: Fields) -> list[Record]:
    """Normalised records with all fields: null where one is missing, what is unknown as JSON.

    Raises:
        RecursionError: a value for a JSON column is nested too deeply.
    """
    completed = []
    for record in records:
        whole = fields.blank | record
        if len(whole) > len(fields.blank) or ADDITIONAL_FIELDS in record:
            known = fields.properties
            unknown = {name: value for name, value in record.items() if name not in known}
            whole = {name: whole[name] for name in fields.blank}
            whole[ADDITIONAL_FIELDS] = unknown
        for name in fields.objects:
            if whole[name] is not None:
                text = json_column(whole[name])
                whole[name] = str(text) if type(text) is NumbersAsText else text
        completed.append(whole)
    return completed


def as_columns_take_them(
    records: Sequence[Record], numerics: Sequence[str], arrays: Sequence[str]
) -> list[Record]:
    """Complete records with their exact numbers as text; `arrays` are fields with several."""
    return [
        record
        | {name: decimal_text(value) for name in numerics if (value := record[name]) is not None}
        | {name: decimal_texts(record[name]) for name in arrays}
        for record in records
    ]

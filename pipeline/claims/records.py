"""Records within a claim, such as service lines: every field of the contract in each of them."""

from collections.abc import Sequence
from typing import Any

from pipeline.claims.contract import ADDITIONAL_FIELDS, Fields
from pipeline.claims.json_text import json_column
from pipeline.claims.numeric import decimal_text

Record = dict[str, Any]


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
            whole[name] = json_column(whole[name])
        completed.append(whole)
    return completed


def as_columns_take_them(records: Sequence[Record], numerics: Sequence[str]) -> list[Record]:
    """Complete records with their exact numbers as text."""
    return [record | {name: decimal_text(record[name]) for name in numerics} for record in records]

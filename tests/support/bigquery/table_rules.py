"""What the real service checks in a row before it takes it; an independent, slow reading of it."""

import json
import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from pipeline.claims.contract import Column

FIRST_DAY, LAST_DAY = -719162, 2932896
MICROSECONDS_A_DAY = 86_400_000_000


def row_dict(message: Any) -> dict[str, Any]:
    """A row by column name, its values as protobuf has them; NULL is left out."""
    row: dict[str, Any] = {}
    for field, value in message.ListFields():
        is_record = field.message_type is not None
        if field.is_repeated:
            row[field.name] = [row_dict(item) if is_record else item for item in value]
        else:
            row[field.name] = row_dict(value) if is_record else value
    return row


def row_fault(columns: Sequence[Column], message: Any) -> str:
    """What is wrong with a row, with its value; empty if it is fine."""
    if len(UnknownFieldSet(message)):
        return "The row has unknown fields"
    names = {field.name for field in message.DESCRIPTOR.fields}
    for column in columns:
        if column.name not in names:
            if column.mode == "REQUIRED":
                return f"Field {column.name} is required"
            continue
        value = getattr(message, column.name)
        if column.mode != "REPEATED":
            if not message.HasField(column.name):
                if column.mode == "REQUIRED":
                    return f"Field {column.name} is required"
                continue
            value = [value]
        for item in value:
            if column.type == "RECORD":
                problem = row_fault(column.fields, item)
            else:
                problem = "" if _is_fine(column.type, item) else f"{item!r} is no {column.type}"
            if problem:
                return f"Field {column.name}: {problem}"
    return ""


def _is_fine(column_type: str, value: Any) -> bool:
    if column_type == "DATE":
        return FIRST_DAY <= value <= LAST_DAY
    if column_type == "TIMESTAMP":
        return FIRST_DAY * MICROSECONDS_A_DAY <= value < (LAST_DAY + 1) * MICROSECONDS_A_DAY
    if column_type == "NUMERIC":
        return _is_decimal(value, 29, 9)
    if column_type == "BIGNUMERIC":
        return _is_decimal(value, 39, 38)
    if column_type == "JSON":
        try:
            json.loads(value)
        except ValueError:
            return False
    return True


def _is_decimal(text: str, whole_digits: int, decimals: int) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    if not math.isfinite(number):
        return False
    whole, _, fraction = format(number, "f").lstrip("-").partition(".")
    return len(whole.lstrip("0")) <= whole_digits and len(fraction.rstrip("0")) <= decimals

"""The row of the error table without a value of its message: `error_payload=REDACTED`."""

import json
from collections.abc import Collection, Mapping
from itertools import count
from typing import Any

from pipeline.claims.error_row import REDACTED, TEXT_LIMIT
from pipeline.claims.message import Message, StructureOnly, size_of

_MAX_DEPTH = 50
"""Levels of arrays and objects that are shown."""


def redacted(row: Mapping[str, Any], message: Message, names: Collection[str]) -> dict[str, Any]:
    """The row of `error_row`, with the structure of its message in place of the message.

    Gone are the claim id and the attributes, too; `names` are the field names that may be shown.
    """
    is_redacted = isinstance(message, StructureOnly)
    return {
        **row,
        "claim_id": None,
        "raw_message": row["raw_message"] if is_redacted else structure(message.data, names),
        "raw_bytes": None,
        "raw_encoding": REDACTED,
        "attributes": [],
    }


def structure_only(message: Message, names: Collection[str]) -> StructureOnly:
    """The message without a value; `names` are the field names that may be shown."""
    data = (structure(message.data, names) or "").encode()
    kept = StructureOnly(data, *message[1:])
    kept.size = size_of(message.data)
    return kept


def structure(data: bytes, names: Collection[str]) -> str | None:
    """A JSON document with the type of each value in its place.

    Other field names than `names`, which may be values too, become `*1`, `*2` ... in each object.
    None for what is no JSON document, or is larger than `TEXT_LIMIT`.
    """
    if len(data) > TEXT_LIMIT:
        return None
    try:
        document = json.loads(data, parse_int=_number, parse_float=_number, parse_constant=_number)
    except (ValueError, RecursionError):
        return None
    return json.dumps(_type_of(document, names, 1))


def _number(_text: str) -> int:
    return 0


def _type_of(value: Any, names: Collection[str], depth: int) -> Any:
    if isinstance(value, dict):
        if depth > _MAX_DEPTH:
            return "object"
        numbers = count(1)
        return {
            name if name in names else f"*{next(numbers)}": _type_of(held, (), depth + 1)
            for name, held in value.items()
        }
    if isinstance(value, list):
        return "array" if depth > _MAX_DEPTH else [_type_of(item, (), depth + 1) for item in value]
    if value is None:
        return None
    return {str: "string", bool: "boolean"}.get(type(value), "number")

"""JSON text for columns of type JSON, nested as deep as BigQuery takes it."""

import json
from collections.abc import Iterable
from typing import Any

import orjson

MAX_LEVELS = 500
"""Levels of arrays and objects in a JSON value of BigQuery, from "JSON type" of its reference."""


def json_text(value: Any) -> str:
    """A value as JSON, numbers as doubles.

    Raises:
        RecursionError: it is nested more than `MAX_LEVELS` deep.
    """
    try:
        return orjson.dumps(value, default=float).decode()
    except orjson.JSONEncodeError:  # from 255 levels on
        if _is_too_deep(value):
            raise RecursionError from None
        return json.dumps(value, default=float, ensure_ascii=False)


def json_column(value: Any) -> Any:
    """The objects of a JSON column as text; null stays null, an array is one of texts."""
    if value is None:
        return None
    return [json_text(item) for item in value] if type(value) is list else json_text(value)


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [item for each in level for item in _items(each) if isinstance(item, dict | list)]
    return bool(level)


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value

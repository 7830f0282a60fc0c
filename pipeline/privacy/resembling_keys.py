"""Keys that resemble the name of a field, wherever put them: `patientId`, `Patient-ID`."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pipeline.claims.memory import Memory

_REMEMBERED, _SMALL = 4_096, 300
"""Keys that are kept in memory, and the characters of the longest."""


class Number(str):
    """A number of a JSON document, as it stands there."""


class ResemblingKeys:
    """Replaces what stands under keys that differ from some names in case and signs alone."""

    def __init__(self, names: tuple[str, ...], pseudonym: Callable[[str, str], str]) -> None:
        """`pseudonym` is that of a field's name and a text."""
        self._pseudonym = pseudonym
        self._by_folded = {_folded(name): name for name in reversed(names)}
        self._name = Memory(self._resembled, _REMEMBERED, _is_small).__getitem__

    def replace_within(self, document: Any) -> None:
        """Replace the values in a document, at any depth and in place.

        Numbers and texts become pseudonyms; null, true, false and empty texts tell nobody apart.
        """
        waiting: list[tuple[Any, str | None]] = [(document, None)]
        while waiting:
            holder, above = waiting.pop()
            if type(holder) is dict:
                items: Any = [(key, held, above or self._name(key)) for key, held in holder.items()]
            elif type(holder) is list:
                items = [(place, held, above) for place, held in enumerate(holder)]
            else:
                continue
            for key, held, name in items:
                if type(held) in (dict, list):
                    waiting.append((held, name))
                elif name and type(held) not in (bool, type(None)) and held != "":
                    holder[key] = self._pseudonym(name, _text(held))

    def replaced(self, attributes: Mapping[str, str]) -> Mapping[str, str]:
        """The attributes of a message with their values replaced."""
        found = {
            key: self._pseudonym(name, value)
            for key, value in attributes.items()
            if value and (name := self._name(key))
        }
        return {**attributes, **found} if found else attributes

    def _resembled(self, key: str) -> str | None:
        return self._by_folded.get(_folded(key))


def _is_small(key: str, _name: str | None) -> bool:
    return len(key) <= _SMALL


def _folded(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _text(value: Any) -> str:
    """A text, or a number as `additional_fields` spells it."""
    return str(orjson.loads(value.encode()) if type(value) is Number else value)

"""Keys that resemble the name of a field, wherever put them: `patientId`, `Patient-ID`."""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any
from unicodedata import normalize

from pipeline.claims.formats.json_documents import exact_value
from pipeline.claims.memory import Memory

MAX_ENTRIES = 10_000
"""Entries of objects and arrays that are replaced in one document: each of them may grow."""
_REMEMBERED, _SMALL = 4_096, 300
"""Keys that are kept in memory, and the characters of the longest."""
_SLICE = 64
"""Characters of a long key that are folded at a time."""


_NO_VALUES = (dict, list, bool, type(None))
_Entry = tuple[Any, Any, str | None, str | None]
"""Object or array; key or place; the fields of which the key and the value become pseudonyms."""

_Level = tuple[Any, str | None, Iterator[tuple[Any, Any]]]
"""Object or array; the field that it stands under; what of it is still to be looked at."""


class TooManyValues(ValueError):
    """A document has more to replace than `MAX_ENTRIES`."""


class Number(str):
    """A number of a JSON document, as it stands there."""


class ResemblingKeys:
    """Replaces what stands under keys that differ from some names in case and signs alone.

    What stands there are values, and in objects the keys too. Names are compared after Unicode's
    compatibility decomposition and case folding, by letters and digits of ASCII.
    """

    def __init__(self, names: tuple[str, ...], pseudonym: Callable[[str, str], str]) -> None:
        """`pseudonym` is that of a field's name and a text."""
        self._pseudonym = pseudonym
        self._by_folded = {_folded(name): name for name in reversed(names)}
        self._longest = max(map(len, self._by_folded), default=0)
        self._name = Memory(
            self._resembled, _REMEMBERED, lambda key, _: len(key) <= _SMALL
        ).__getitem__

    def check(self, document: Any) -> None:
        """Raise `TooManyValues` if a document cannot be replaced within, in bounded memory."""
        self._found(document)

    def replace_within(self, document: Any) -> None:
        """Replace values and keys in a document, at any depth and in place.

        Numbers and texts become pseudonyms; null, true, false and empty texts tell nobody apart.

        Raises:
            TooManyValues: there are too many; nothing is replaced then.
        """
        with_keys: dict[int, tuple[dict[str, Any], str]] = {}
        for holder, key, key_name, name in self._found(document):
            if key_name is not None:
                with_keys[id(holder)] = (holder, key_name)
            if name is not None:
                holder[key] = self._pseudonym(name, _text(holder[key]))
        for holder, name in with_keys.values():
            self._replace_keys(holder, name)

    def replaced(self, attributes: Mapping[str, str]) -> Mapping[str, str]:
        """The attributes of a message with their values replaced."""
        found = {
            key: self._pseudonym(name, value)
            for key, value in attributes.items()
            if value and (name := self._name(key))
        }
        return {**attributes, **found} if found else attributes

    def _found(self, document: Any) -> list[_Entry]:
        found = list(islice(self._entries(document), MAX_ENTRIES + 1))
        if len(found) > MAX_ENTRIES:
            raise TooManyValues
        return found

    def _entries(self, document: Any) -> Iterator[_Entry]:
        """What is to be replaced, without more in memory than a path through the document."""
        path: list[_Level] = [(document, None, _items(document))]
        while path:
            holder, above, items = path[-1]
            is_object = type(holder) is dict
            for key, held in items:
                name = above or (self._name(key) if is_object else None)
                has_value = name and held != "" and type(held) not in _NO_VALUES
                if has_value or (above and is_object and key):
                    of_key = above if is_object and key else None
                    yield holder, key, of_key, name if has_value else None
                if type(held) in (dict, list):
                    path.append((held, name, _items(held)))
                    break
            else:
                path.pop()

    def _replace_keys(self, holder: dict[str, Any], name: str) -> None:
        new: dict[str, Any] = {}
        for key, held in holder.items():
            shown = self._pseudonym(name, key) if key else key
            while shown in new:  # a key that was a pseudonym before, beside what it stands for
                shown += "*"
            new[shown] = held
        holder.clear()
        holder.update(new)

    def _resembled(self, key: str) -> str | None:
        folded = ""
        for start in range(0, len(key), _SLICE):
            folded += _folded(key[start : start + _SLICE])
            if len(folded) > self._longest:
                return None
        return self._by_folded.get(folded)


def _items(holder: Any) -> Iterator[tuple[Any, Any]]:
    if type(holder) is dict:
        return iter(holder.items())
    return iter(enumerate(holder)) if type(holder) is list else iter(())


def _folded(text: str) -> str:
    """A text by what every character of it means to Unicode, so that it may come in slices."""
    if not text.isascii():
        text = normalize("NFKD", normalize("NFKD", text).casefold())
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _text(value: Any) -> str:
    """A text, or a number as `additional_fields` spells it."""
    return str(exact_value(value) if type(value) is Number else value)

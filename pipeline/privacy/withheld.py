"""A message of which nothing but the structure may be kept."""

from collections.abc import Collection
from typing import Any

from pipeline.claims.error_row import REDACTED
from pipeline.claims.message import Message, size_of
from pipeline.privacy.redaction import structure


class Withheld(Message):
    """A message whose `data` is its structure, or nothing."""

    size: int
    """Bytes of the original message."""

    @classmethod
    def of(cls, message: Message, names: Collection[str]) -> "Withheld":
        """The message without a value; `names` are the field names that may be shown."""
        shown = structure(message.data, names) or ""
        withheld = cls(shown.encode(), *message[1:])
        withheld.size = size_of(message.data)
        return withheld

    def columns(self) -> dict[str, Any]:
        """The columns of the error table that hold a message."""
        return {
            "raw_message": self.data.decode() or None,
            "raw_bytes": None,
            "raw_encoding": REDACTED,
            "raw_size": self.size,
        }

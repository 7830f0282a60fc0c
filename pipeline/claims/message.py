"""The unit of accounting: one message, as it came in."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import orjson


class Unreadable(bytes):
    """Bytes that whoever read them knows to hold no claim, and why.

    `orjson` takes no subclass of bytes, so that these are never taken for a document, and
    ordinary messages need not be asked.
    """

    error_code: str

    def __new__(cls, data: bytes, error_code: str) -> Self:
        """`error_code` is one of those of the parse stage."""
        unreadable = super().__new__(cls, data)
        unreadable.error_code = error_code
        return unreadable

    def __getnewargs__(self) -> tuple[Any, ...]:
        return bytes(self), self.error_code


class Beginning(Unreadable):
    """The first bytes of what is too large to be held, or ends in damage: not the whole of it."""

    whole_size: int
    """Bytes of the message itself, as far as it is known."""

    def __new__(cls, data: bytes, whole_size: int, error_code: str = "message_too_large") -> Self:
        beginning = super().__new__(cls, data, error_code)
        beginning.whole_size = whole_size
        return beginning

    def __getnewargs__(self) -> tuple[Any, ...]:
        return bytes(self), self.whole_size, self.error_code


def json_data(
    document: Any, default: Callable[[Any], Any] | None = None, option: int | None = None
) -> bytes:
    """A document as the data of a message; the arguments are those of `orjson.dumps`.

    A copy: what `orjson` returns takes at least 4 KB for as long as it lives, and many messages
    are held at a time.
    """
    return b"%b" % orjson.dumps(document, default, option)


def size_of(data: bytes) -> int:
    """Bytes of a message, of which only the beginning may be at hand."""
    return data.whole_size if isinstance(data, Beginning) else len(data)


class Part(NamedTuple):
    """Which part of a message this is; both numbers are None if it is the whole of it."""

    claim_index: int | None
    """From 0, in the order of the message."""
    claims_in_message: int | None
    map_version: str | None = None
    """The map that made this claim; None if it is a document that a map is still to read."""


class Message(NamedTuple):
    """One message from Pub/Sub, or one line of a backfill file, untouched.

    Every message ends as exactly one row of the claims or of the error table; it travels beside
    its claim through the whole graph, so that a rejection at any step still has the original.
    """

    data: bytes
    """A `Beginning` where it is too large."""
    message_id: str | None = None
    publish_time: str | None = None
    """RFC 3339, UTC; None for a line of a file."""
    attributes: Mapping[str, str] = {}  # shared, and never changed: no step mutates an element
    part: Part | None = None
    """None if the message as a whole is one claim, or a document that no step has split."""


class StructureOnly(Message):
    """A message of which only the structure may be kept: its `data` is that, or empty."""

    size: int
    """Bytes of the original message."""

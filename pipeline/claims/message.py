"""The unit of accounting: one message, as it came in."""

from collections.abc import Mapping
from typing import NamedTuple, Self


class Beginning(bytes):
    """The first bytes of a message that is too large to be held.

    `orjson` takes no subclass of bytes, so that a beginning is never taken for a whole, and
    ordinary messages need not be asked.
    """

    whole_size: int
    """Bytes of the message itself."""

    def __new__(cls, data: bytes, whole_size: int) -> Self:
        """`data` is what was kept."""
        beginning = super().__new__(cls, data)
        beginning.whole_size = whole_size
        return beginning

    def __getnewargs__(self) -> tuple[bytes, int]:  # type: ignore[override]
        """What makes it anew where it is unpickled."""
        return bytes(self), self.whole_size


def size_of(data: bytes) -> int:
    """Bytes of a message, of which only the beginning may be at hand."""
    return data.whole_size if isinstance(data, Beginning) else len(data)


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


class StructureOnly(Message):
    """A message of which only the structure may be kept: its `data` is that, or empty."""

    size: int
    """Bytes of the original message."""

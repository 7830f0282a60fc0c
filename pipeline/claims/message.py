"""The unit of accounting: one message, as it came in."""

from collections.abc import Mapping
from typing import NamedTuple


class Message(NamedTuple):
    """One message from Pub/Sub, or one line of a backfill file, untouched.

    Every message ends as exactly one row of the claims or of the error table; it travels beside
    its claim through the whole graph, so that a rejection at any step still has the original.
    """

    data: bytes
    message_id: str | None = None
    publish_time: str | None = None
    """RFC 3339, UTC; None for a line of a file."""
    attributes: Mapping[str, str] = {}  # shared, and never changed: no step mutates an element

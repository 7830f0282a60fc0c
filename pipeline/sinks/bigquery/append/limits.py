"""Sizes, times and retry limits of the sink, in one place."""

from dataclasses import dataclass
from typing import Final

SERVICE_MAX_REQUEST_BYTES: Final = 20_000_000
"""The service refuses larger requests (documentation of 2026; the limit used to be half of
this)."""
ROW_OVERHEAD_BYTES: Final = 5
"""What a request needs for a row beside the row: a tag, and at most four bytes of length."""
REQUEST_OVERHEAD_BYTES: Final = 4_096
"""What a request needs beside rows and schema: the names of stream and client, lengths."""
ANSWER_TIMEOUT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class AppendLimits:
    """How the sink appends. The defaults suit the service; tests shorten the times."""

    request_bytes: int = 1_000_000
    """A request is sent when the next row would make it larger."""
    request_rows: int = 10_000
    """A request is sent when it has this many rows."""
    max_request_bytes: int = SERVICE_MAX_REQUEST_BYTES
    """A row that needs a larger request is rejected."""
    held_bytes: int = 8_000_000
    """A request is sent when the messages of its rows would exceed this in total."""
    in_flight_bytes: int = 32_000_000
    """Unanswered bytes per table and process; a sender that would exceed this waits."""
    in_flight_held_bytes: int = 64_000_000
    """Bytes of messages whose rows are in flight, per table and process; the same applies."""
    budget_seconds: float = 300.0
    """An append that keeps failing for this long fails its bundle, and the runner retries the
    bundle."""
    first_backoff_seconds: float = 0.25
    """The longest wait before the second attempt; it doubles with each further attempt."""
    max_backoff_seconds: float = 30.0
    """The longest wait between two attempts."""
    answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
    """A call whose requests are not answered for this long counts as dead, and so does its channel.

    Keepalive finds a connection that is dead in half of it.
    """
    look_again_seconds: float = 60.0
    """While the table lacks columns, it is checked this often, and whenever a call opens."""

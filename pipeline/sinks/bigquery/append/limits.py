"""Sizes, times and patience of the sink, in one place."""

from dataclasses import dataclass
from typing import Final

SERVICE_MAX_REQUEST_BYTES: Final = 10_000_000
"""The service refuses larger requests."""
ROW_OVERHEAD_BYTES: Final = 5
"""What a request needs for a row beside the row: a tag, and at most four bytes of length."""
REQUEST_OVERHEAD_BYTES: Final = 4_096
"""What a request needs beside rows and schema: the names of stream and client, lengths."""


@dataclass(frozen=True, slots=True)
class AppendLimits:
    """How the sink appends. The defaults suit the service; tests shorten the times."""

    request_bytes: int = 1_000_000
    """A request is sent when the next row would make it larger."""
    request_rows: int = 10_000
    """A request is sent when it has so many rows."""
    in_flight_bytes: int = 32_000_000
    """Unanswered bytes of a table and process; who would send more, waits."""
    budget_seconds: float = 300.0
    """An append that keeps failing for so long fails its bundle, and the runner begins it anew."""
    first_backoff_seconds: float = 0.25
    """The longest wait before the second try; it doubles with each further one."""
    max_backoff_seconds: float = 30.0
    """The longest wait between two tries."""
    answer_timeout_seconds: float = 120.0
    """A connection on which nothing is answered for so long counts as dead."""

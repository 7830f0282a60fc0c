"""Logs why a table does not accept rows, once a minute for all threads together."""

import logging
import threading
import time
from typing import Final

from pipeline.sinks.bigquery.append.answers import ADVICE

_LOGGER = logging.getLogger(__name__)
INTERVAL_SECONDS: Final = 60.0


class StallLog:
    """The log of one table."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._logged_at: dict[str, float] = {}

    def warn(self, reason: str, failing_seconds: float) -> None:
        """Log that appends fail and are retried, without any row or value."""
        now = time.monotonic()
        with self._lock:
            if now - self._logged_at.get(reason, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
                return
            self._logged_at[reason] = now
        advice = ADVICE.get(reason)
        _LOGGER.warning(
            "appends to %s have been failing for %.0f s and are being retried: %s%s",
            self._table,
            failing_seconds,
            reason,
            f" ({advice})" if advice else "",
        )

"""How far a backfill on this machine is: a line on stderr, again and again until it ends."""

import sys
import time
from threading import Event, Thread
from typing import Self

from pipeline.transforms.metrics import LiveCounts

ON_TERMINAL_SECONDS, ELSEWHERE_SECONDS = 1.0, 10.0
_STILL_SECONDS = 5.0


class Progress:
    """Shows the counts while its block runs; on a terminal the line is written over."""

    def __init__(self, counts: LiveCounts, started: float) -> None:
        """`started` by the monotonic clock: zero of the seconds that are shown."""
        self._counts = counts
        self._started = started
        self._is_terminal = sys.stderr.isatty()
        self._over = Event()
        self._thread = Thread(target=self._show, daemon=True)
        self._last, self._moved = "", started

    def line(self, now: float) -> str:
        counts = self._counts.now()
        errors = sum(count for name, count in counts.items() if name.startswith("rejected_"))
        text = (
            f"read {counts['received']:,}  claims {counts['accepted']:,}"
            f"  high risk {counts['high_risk']:,}  errors {errors:,}"
            f"  rows written {counts['rows_written']:,}"
        )
        if text != self._last:
            self._last, self._moved = text, now
        still = now - self._moved
        if still >= _STILL_SECONDS:
            waits = "BigQuery" if counts["received"] else "the first lines"
            text += f"  (waiting for {waits}, {still:.0f} s)"
        return f"{now - self._started:4.0f} s  {text}"

    def _show(self) -> None:
        start, end = ("\r\x1b[K", "") if self._is_terminal else ("", "\n")
        seconds = ON_TERMINAL_SECONDS if self._is_terminal else ELSEWHERE_SECONDS
        while not self._over.wait(seconds):
            sys.stderr.write(f"{start}{self.line(time.monotonic())}{end}")
            sys.stderr.flush()
        if self._is_terminal:
            sys.stderr.write(start)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

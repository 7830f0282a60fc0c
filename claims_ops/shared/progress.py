"""A progress bar for work that takes longer than a second."""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

APPEARS_AFTER_S = 1.0
REFRESH_S = 0.1


class ProgressLine:
    """One line on stderr, if that is a terminal; it is gone when closed."""

    def __init__(self, unit: str, *, hidden: bool = False, has_end: bool = True) -> None:
        """`has_end` tells whether it is known how much work there is."""
        self._unit = unit
        self._hidden = hidden or not sys.stderr.isatty()
        self._has_end = has_end
        self._next = time.monotonic() + APPEARS_AFTER_S
        self._bar: Progress | None = None

    def update(self, done: int, fraction: float = 0.0) -> None:
        """Show how many units are done, and which fraction of the work that is (0 to 1).

        Cheap enough to be called for every unit.
        """
        if self._hidden or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + REFRESH_S
        if self._bar is None:
            self._bar = self._start()
        for task in self._bar.task_ids:
            self._bar.update(task, completed=fraction, done=f"{done:,} {self._unit}")

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> "Progress":
        # Imported here, because most runs end before the bar would appear.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        end = (TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
        bar = Progress(
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            *(end if self._has_end else (TimeElapsedColumn(),)),
            console=Console(stderr=True),
            transient=True,
        )
        bar.add_task("", total=1.0 if self._has_end else None, done="")
        bar.start()
        return bar

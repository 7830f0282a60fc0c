"""How far the demo is: a bar on a terminal, else a line every few seconds, all by one clock."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from claims_ops.shared.message_counts import MessageCounts

if TYPE_CHECKING:
    from rich.console import Console

LINE_SECONDS = 3.0
STILL_SECONDS = 3.0
"""After which it says what it waits for."""


class DemoProgress(AbstractContextManager["DemoProgress"]):
    """Shows what is done and a balance as it changes; the bar is gone when closed."""

    def __init__(
        self, out: "Console", started: float, expected: int, *, quiet: bool = False
    ) -> None:
        """`started`, by the monotonic clock, is zero; `expected` messages make the whole."""
        from rich.progress import BarColumn, Progress, TextColumn

        self.handed = "published"
        """What has happened to the messages that count as sent."""
        self._out = out
        self._start = started
        self._next_line = 0.0
        self._plain = not out.is_terminal
        self._quiet = quiet
        self._last: MessageCounts | None = None
        self._moved = started
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            console=out,
            transient=True,
            expand=True,
            disable=self._plain or quiet,
        )
        self._task = self._bar.add_task("", total=expected, visible=False)

    def say(self, text: str) -> None:
        """A line that stays, with the time."""
        if not self._quiet:
            self._out.print(f"{self._seconds():4.0f} s  {text}", markup=False, soft_wrap=True)

    def show(self, balance: MessageCounts, waits_for: str = "rows in BigQuery") -> None:
        """Show it, or not if a line was written just now; while it stands still, say why."""
        now = time.monotonic()
        if balance != self._last:
            self._last, self._moved = balance, now
        text = (
            f"{self.handed} {balance.published:,}  claims {balance.claims:,}"
            f"  high risk {balance.high_risk:,}  errors {balance.errors:,}"
        )
        if now - self._moved >= STILL_SECONDS:
            text += f"  (waiting for {waits_for})"
        line = f"{self._seconds():4.0f} s  {text}"
        self._bar.update(self._task, completed=balance.rows, description=line, visible=True)
        if self._plain and not self._quiet and self._seconds() >= self._next_line:
            self._next_line = self._seconds() + LINE_SECONDS
            click.echo(line)

    def hide(self) -> None:
        """Take the bar away, before tables are shown."""
        self._bar.stop()

    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

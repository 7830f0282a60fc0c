"""How far the demo is: a bar on a terminal, else a line every few seconds."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from claims_ops.shared.message_counts import MessageCounts

if TYPE_CHECKING:
    from rich.console import Console

LINE_SECONDS = 3.0


class DemoProgress(AbstractContextManager["DemoProgress"]):
    """Shows a balance as it changes; the bar is gone when closed."""

    def __init__(self, out: "Console", expected: int, *, quiet: bool = False) -> None:
        """`expected` messages make the whole."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._start = time.monotonic()
        self._next_line = 0.0
        self._plain = not out.is_terminal
        self._quiet = quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TimeElapsedColumn(),
            console=out,
            transient=True,
            expand=True,
            disable=self._plain or quiet,
        )
        self._task = self._bar.add_task("", total=expected)

    def show(self, balance: MessageCounts) -> None:
        """Show it, or not if a line was written just now."""
        text = (
            f"published {balance.published:,}  claims {balance.claims:,}"
            f"  high risk {balance.high_risk:,}  errors {balance.errors:,}"
        )
        self._bar.update(self._task, completed=balance.rows, description=text)
        elapsed = time.monotonic() - self._start
        if self._plain and not self._quiet and elapsed >= self._next_line:
            self._next_line = elapsed + LINE_SECONDS
            click.echo(f"{elapsed:4.0f} s  {text}")

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

"""One replay of an error table at a time, wherever it runs: a second one would publish the same.

Whose turn it is stands in labels of the record of replays. They are changed by the ETag of what was
read, so that of two that begin at once one fails.
"""

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from claims_ops.shared.queries import Queries
from pipeline.claims.tables import TableName

HOLDER, UNTIL = "replay_holder", "replay_until"
"""Labels: which process has its turn, and until when, in seconds since 1970."""
LEASE_SECONDS = 180
"""More than a batch takes, with all repetitions: what is not renewed by then may be taken."""


class Turn:
    """The turn of this process."""

    def __init__(self, queries: Queries, record: TableName, pause_seconds: float) -> None:
        """`pause_seconds` is the longest time between two batches."""
        self._queries = queries
        self._record = record
        self._lease = int(LEASE_SECONDS + pause_seconds)
        self._host = hashlib.sha256(_machine().encode()).hexdigest()[:16]
        self._me = f"{self._host}-{os.getpid()}"
        self._renew_at = 0.0

    def keep(self) -> None:
        """Take the turn, or go on having it; to be called before each batch.

        Raises:
            click.ClickException: another process has it.
        """
        now = time.time()
        if now < self._renew_at:
            return

        def take(found: Mapping[str, str]) -> Mapping[str, str]:
            self._check(found)
            return {HOLDER: self._me, UNTIL: str(int(now) + self._lease)}

        if not self._queries.relabel(self._record, take):
            raise click.ClickException("another replay of this error table has just started")
        self._renew_at = now + LEASE_SECONDS / 3

    def give_back(self) -> None:
        """Let others have their turn; without it they would wait until the lease ends."""
        with suppress(click.ClickException):
            self._queries.relabel(self._record, lambda found: {UNTIL: "0"})

    def _check(self, labels: Mapping[str, str]) -> None:
        holder, until = labels.get(HOLDER, ""), labels.get(UNTIL, "")
        ends = int(until) if until.isascii() and until.isdigit() else 0
        if holder == self._me or ends <= time.time() or self._is_gone(holder):
            return
        at = datetime.fromtimestamp(min(ends, 1 << 34), UTC)
        raise click.ClickException(
            "another replay of this error table is running; if it was killed, try again after"
            f" {at:%Y-%m-%d %H:%M:%S} UTC"
        )

    def _is_gone(self, holder: str) -> bool:
        """Whether the holder was a process of this machine that no longer runs."""
        host, _, process = holder.partition("-")
        if host != self._host or not process.isdecimal():
            return False
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def _machine() -> str:
    """Where process numbers mean what they mean here: all containers may be `localhost`."""
    names = [socket.gethostname()]
    with suppress(OSError):  # Linux alone has them
        names.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        names.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(names)


@contextmanager
def turn(queries: Queries, record: TableName, pause_seconds: float) -> Iterator[Turn]:
    """Have the turn for the time of the block.

    Raises:
        click.ClickException: another process has it.
    """
    own = Turn(queries, record, pause_seconds)
    own.keep()
    try:
        yield own
    finally:
        own.give_back()

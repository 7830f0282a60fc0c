"""One round of provider profiles in the demo: half of the claims, profiles, the other half."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TypeVar

import click

from claims_ops.profiles.command import NAMES, current_claims, write
from claims_ops.shared.queries import Queries
from pipeline.claims.signals import amounts, provider_profile
from pipeline.claims.tables import TableName

Item = TypeVar("Item")

REFRESH_SECONDS = 3.0
_HEADERS = {"provider_profile": provider_profile.COLUMNS, "claim_percentiles": amounts.COLUMNS}
_PATIENCE_SECONDS = 120.0
"""After which the other half is published in any case."""


class ProfileRound:
    """Holds back the second half of the messages until there are profiles of the first."""

    def __init__(
        self, folder: Path, messages: int, say: Callable[[str], None], *, is_streaming: bool = True
    ) -> None:
        """`folder` takes the files, which have no providers at first; `say` hears what is done.

        A streaming pipeline has to read them again; otherwise the second half has one of its own.
        """
        self._folder = folder
        self._say = say
        self._is_streaming = is_streaming
        self.half = messages // 2
        """Messages before the profiles."""
        self._go_on = Event()
        self.providers = 0
        """Of which there are profiles."""
        for name, columns in _HEADERS.items():
            (folder / f"{name}.csv").write_text(",".join(columns) + "\n")

    @property
    def are_made(self) -> bool:
        """Whether the second half may come."""
        return self._go_on.is_set()

    def parameters(self) -> list[str]:
        """The launch parameters of the pipeline."""
        files = [f"--{name}={self._folder / name}.csv" for name in NAMES]
        return [*files, f"--reference_refresh_minutes={REFRESH_SECONDS / 60:g}"]

    def paused(self, samples: Iterator[Item]) -> Iterator[Item]:
        """The messages, with a pause after the first half."""
        for number, sample in enumerate(samples):
            if number == self.half:
                self._go_on.wait(_PATIENCE_SECONDS)
            yield sample

    def look(self, rows: int, queries: Queries, claims: TableName) -> None:
        """Once the first half has become rows, compute the profiles, and go on."""
        if self._go_on.is_set() or rows < self.half:
            return
        self._say("Computing provider profiles from the first half ...")
        try:
            today, source = datetime.now(UTC).date(), current_claims(claims)
            source = source if queries.has(source) else claims
            counts = [write(queries, name, source, today, str(self._folder))[1] for name in NAMES]
            self.providers = counts[0]
            if self._is_streaming:
                self._say("Waiting for the pipeline to read the profiles ...")
                time.sleep(REFRESH_SECONDS + 0.5)
        except click.ClickException as error:  # a schema of one's own may lack what profiles read
            click.echo(f"No profiles: {error.format_message()}", err=True)
        self._go_on.set()

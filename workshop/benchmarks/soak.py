"""`python -m workshop.benchmarks.soak`: whether a streaming job keeps its memory and threads flat.

The job of `python -m pipeline.main` on the emulators, fed at an even rate; its process is looked
at every few seconds. Linux only: asks /proc.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
from google.cloud.bigquery import Client

from claims_ops.shared.message_counts import MessageCounts, RowCounter
from sandbox.demo.local_pipeline import LocalPipeline, Route
from sandbox.emulators.emulators import PROJECT, create_topic_and_subscription, local_servers
from sandbox.generate.publication import Publication
from sandbox.synthetic.samples import Sample, messages
from workshop.benchmarks import machine

PAGE = Path(__file__).parents[2] / "docs/reference/soak.md"
GROWTH_LIMIT = 0.10
"""Of the memory, from the first to the last quarter of the time that counts."""
MORE_LIMIT = 2
"""Threads, or open files, more at the end: pools fill up late. What piles up piles up higher."""
_BAD_SHARE = 0.05
_DRAIN_SECONDS = 60
_LINES = 12
"""Of the table in the page."""


class Look(NamedTuple):
    """The process of the job at one moment."""

    seconds: float
    """Since the job took its first message."""
    published: int
    memory_mb: float
    """Resident."""
    threads: int
    files: int
    """Open descriptors."""


class Verdict(NamedTuple):
    """What the looks say, but for the first third, in which the job gets warm."""

    memory_growth: float
    """As a fraction."""
    threads: int
    """What the last quarter had more than the first, each at its least."""
    files: int

    @property
    def is_flat(self) -> bool:
        """Whether nothing piles up."""
        more = max(self.threads, self.files)
        return self.memory_growth <= GROWTH_LIMIT and more <= MORE_LIMIT


def verdict(looks: Sequence[Look]) -> Verdict:
    """Judge. Needs at least six looks."""
    warm = looks[len(looks) // 3 :]
    quarter = max(1, len(warm) // 4)
    first, last = warm[:quarter], warm[-quarter:]
    memory = [median(look.memory_mb for look in part) for part in (first, last)]
    # Threads and files come and go with each pull: the least says what stays.
    threads, files = (
        min(look[field] for look in last) - min(look[field] for look in first)
        for field in (Look._fields.index("threads"), Look._fields.index("files"))
    )
    return Verdict(memory[1] / memory[0] - 1, int(threads), int(files))


def soak(
    route: Route,
    client: Client,
    seconds: float,
    rate: float,
    every: float,
    told: Callable[[Look], None],
) -> tuple[list[Look], MessageCounts]:
    """Run the job for so long, and look at it `every` few seconds; the balance at its end.

    The environment is to name the servers.

    Raises:
        click.ClickException: the job has ended, or lost something.
    """
    looks: list[Look] = []
    ledger = RowCounter(client, route.claims_table, route.error_table)
    now = datetime.now(UTC)
    with (
        tempfile.TemporaryDirectory(prefix="claims-soak-") as directory,
        LocalPipeline(route.parameters(), Path(directory) / "pipeline.log") as job,
    ):
        Publication(messages(1, 0, 1, now), route.topic).start()
        _wait(ledger, job, 1)  # the job has begun
        feed = Publication(
            _at(rate, messages(int(seconds * rate), _BAD_SHARE, 2, now)), route.topic
        )
        began = time.monotonic()
        feed.start()
        while not feed.complete:
            time.sleep(every)
            job.check()
            feed.check()
            looks.append(_look(job.pid(), time.monotonic() - began, feed.sent.total()))
            told(looks[-1])
        return looks, _wait(ledger, job, 1 + feed.sent.total())


def _at(rate: float, samples: Iterator[Sample]) -> Iterator[Sample]:
    began = time.monotonic()
    for number, sample in enumerate(samples):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield sample


def _look(pid: int, seconds: float, published: int) -> Look:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: text.split() for name, _, text in (line.partition(":") for line in lines)}
    files = len(os.listdir(f"/proc/{pid}/fd"))
    return Look(
        seconds, published, int(status["VmRSS"][0]) / 1024, int(status["Threads"][0]), files
    )


def _wait(ledger: RowCounter, job: LocalPipeline, published: int) -> MessageCounts:
    deadline = time.monotonic() + _DRAIN_SECONDS
    while not (balance := ledger.count(published)).closes:
        job.check()
        if time.monotonic() > deadline:
            raise click.ClickException(f"messages are missing: {balance}")
        time.sleep(0.5)
    return balance


def page(
    looks: Sequence[Look], judged: Verdict, balance: MessageCounts, about: dict[str, str]
) -> str:
    """The outcome as Markdown."""
    step = max(1, len(looks) // _LINES)
    shown = [*looks[:-1:step], looks[-1]]
    lines = [
        f"| {look.seconds / 60:.1f} | {look.published:,} | {look.memory_mb:.1f} | {look.threads} |"
        f" {look.files} |"
        for look in shown
    ]
    told = ", ".join(f"{name} {value}" for name, value in about.items())
    return "\n".join(
        [
            "# Soak",
            "",
            f"Written by `make soak`. {told}.",
            "",
            "The streaming job on the emulators, one process; 5% of the messages are malformed.",
            "",
            f"{balance}. Without the first third of the run, from the first quarter to the last:"
            f" memory {judged.memory_growth:+.1%} (at most {GROWTH_LIMIT:+.0%}), threads"
            f" {judged.threads:+}, open files {judged.files:+} (at most {MORE_LIMIT:+}):"
            f" {'flat' if judged.is_flat else 'NOT FLAT'}.",
            "",
            "| minutes | messages | resident MB | threads | open files |",
            "|---:|---:|---:|---:|---:|",
            *lines,
            "",
        ]
    )


@click.command()
@click.option("--minutes", type=click.FloatRange(min=1), default=30.0, show_default=True)
@click.option("--rate", type=click.FloatRange(min=1), default=60.0, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=PAGE)
def main(minutes: float, rate: float, output: Path) -> None:
    """Soak a streaming job, and write docs/reference/soak.md. Exit code 1: not flat."""
    about = machine.describe()

    def told(look: Look) -> None:
        click.echo(
            f"{look.seconds:6.0f} s  published {look.published:,}  {look.memory_mb:.1f} MB"
            f"  {look.threads} threads  {look.files} open files",
            err=True,
        )

    with local_servers() as servers, servers.bigquery.client() as client:
        os.environ.update(servers.environment)
        names = create_topic_and_subscription(servers.pubsub, "claims", "claims")
        route = Route(*names, f"{PROJECT}.claims_soak.claims", f"{PROJECT}.claims_soak.errors")
        looks, balance = soak(route, client, minutes * 60, rate, minutes / 3 * 2, told)
    judged = verdict(looks)
    output.write_text(page(looks, judged, balance, about))
    click.echo(f"written: {output}")
    if not judged.is_flat:
        raise click.ClickException(f"not flat: {judged}")


if __name__ == "__main__":
    main()

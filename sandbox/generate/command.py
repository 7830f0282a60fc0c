"""`claims generate`: synthetic claims, some of them bad on purpose, to a file or a topic."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import click

from claims_ops.shared.counted import counted
from claims_ops.shared.option_types import MAX_COUNT, Duration, Instant, Number, TopicName
from claims_ops.shared.progress import ProgressLine
from sandbox.generate import outputs
from sandbox.synthetic.samples import Sample, messages

__all__ = ["Sample", "generate", "messages"]

DEFAULT_COUNT = 1000
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What `--now` may be: patients were born a century before, and claims come later."""


@click.command()
@click.option(
    "--count",
    type=click.IntRange(1, MAX_COUNT),
    help="Number of messages to generate.  [default: 1000, or no limit with --duration]",
)
@click.option(
    "--rate",
    type=Number(0.001, 1_000_000),
    metavar="PER_SECOND",
    help="Messages per second.  [default: as fast as possible]",
)
@click.option(
    "--duration",
    type=Duration(),
    metavar="DURATION",
    help="Stop after this long, such as 30s, 5m or 2h.",
)
@click.option(
    "--bad-share",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    help="Share of malformed messages, 0 to 1. They cover every kind of error in turn.",
)
@click.option(
    "--variants",
    type=Number(0, 1),
    default=0.02,
    show_default=True,
    help="Share of valid claims with unusual formatting, such as amounts written as strings.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Generator seed; the same --seed and --now produce the same messages.",
)
@click.option(
    "--now",
    type=Instant(),
    metavar="ISO_TIME",
    help="Time that all dates are relative to.  [default: the current time]",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="NDJSON file to write, compressed if its name ends in .gz; - writes to stdout."
    " [default: -]",
)
@click.option(
    "--topic",
    type=TopicName(),
    metavar="projects/P/topics/T",
    help="Topic to publish to, on the emulator if PUBSUB_EMULATOR_HOST is set.",
)
@click.option("--quiet", is_flag=True, help="Hide the progress bar and the summary.")
def generate(
    count: int | None,
    rate: float | None,
    duration: timedelta | None,
    bad_share: float,
    variants: float,
    seed: int,
    now: datetime | None,
    output: str | None,
    topic: str | None,
    quiet: bool,
) -> None:
    """Generate synthetic claims.

    The claims look like a US payer's, with diagnosis and procedure codes that belong together,
    realistic amounts, missing values, duplicates, late submissions, service lines, replacements and
    voids. About 5% are labelled as fraud, and some providers commit it systematically. No real
    patient data is used.

    \b
    Examples:
      claims generate --count 5
      claims generate --count 1000000 --bad-share 0.05 --output claims.ndjson.gz
      claims generate --rate 200 --duration 5m --topic projects/my-project/topics/claims
    """
    if output and topic:
        raise click.UsageError("--output and --topic cannot be combined.")
    if now and not EARLIEST <= now < LATEST:
        raise click.UsageError(f"--now is not between {EARLIEST:%Y} and {LATEST:%Y}.")
    if count is None and duration is None:
        count = DEFAULT_COUNT
    samples = messages(count, bad_share, seed, now or datetime.now(UTC), variants)
    destination = outputs.topic(topic) if topic else outputs.lines(output or "-")
    # Claims on the terminal leave no place for a bar.
    crowded = topic is None and output is None and sys.stdout.isatty()
    line = ProgressLine("messages", hidden=quiet or crowded)
    tally = _Tally(count, duration, rate)
    try:
        with closing(line), destination as out:
            tally.send(samples, out, line)
    except KeyboardInterrupt:
        tally.tell(quiet)
        raise
    tally.tell(quiet)


class _Tally:
    """Sends messages at a rate, for a time, and counts them."""

    def __init__(self, count: int | None, duration: timedelta | None, rate: float | None) -> None:
        self._count = count
        self._seconds = duration.total_seconds() if duration else None
        self._rate = rate
        self._start = time.monotonic()
        self.sent = 0
        self.malformed = 0

    def send(self, samples: Iterator[Sample], out: outputs.Output, line: ProgressLine) -> None:
        """Send all samples, or those that the duration leaves time for."""
        for sample in samples:
            elapsed = self._wait(out, line)
            if self._seconds is not None and elapsed >= self._seconds:
                break
            out.write(sample.data)
            self.sent += 1
            self.malformed += sample.expected == "rejected"
            line.update(self.sent, self._fraction(elapsed))

    def tell(self, quiet: bool) -> None:
        """Say the summary, or not."""
        if not quiet:
            click.echo(self.summary(), err=True)

    def summary(self) -> str:
        """One line: what was sent, and how fast."""
        seconds = time.monotonic() - self._start
        return (
            f"{counted(self.sent, 'message')} ({self.malformed:,} malformed) in {seconds:.1f} s, "
            f"{self.sent / max(seconds, 1e-9):,.0f} a second"
        )

    def _wait(self, out: outputs.Output, line: ProgressLine) -> float:
        """Wait until the next message is due; seconds since the start."""
        elapsed = time.monotonic() - self._start
        if self._rate is None:
            return elapsed
        due = self.sent / self._rate
        if self._seconds is not None:
            due = min(due, self._seconds)
        while elapsed < due:
            out.flush()
            time.sleep(min(due - elapsed, 0.2))
            elapsed = time.monotonic() - self._start
            line.update(self.sent, self._fraction(elapsed))
        return elapsed

    def _fraction(self, elapsed: float) -> float:
        """How much of the work is done, 0 to 1."""
        by_count = self.sent / self._count if self._count else 0.0
        return max(by_count, elapsed / self._seconds if self._seconds else 0.0)

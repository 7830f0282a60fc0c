"""`claims replay`: messages of the error table published again, once whatever failed is mended."""

import sys
import time
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from claims_ops.replay.record import ReplayRecord
from claims_ops.replay.republication import Republication
from claims_ops.replay.selection import OUTCOMES, READY, Count, ErrorTable, Selection
from claims_ops.replay.turn import turn
from claims_ops.shared import table_options
from claims_ops.shared.interruption import unwinding
from claims_ops.shared.option_types import MAX_COUNT, Instant, Number, TopicName
from claims_ops.shared.progress import ProgressLine
from claims_ops.shared.queries import connect
from claims_ops.shared.terminal import printable
from pipeline.claims.tables import TableName, replays_name

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@table_options.error_table
@click.option(
    "--topic",
    type=TopicName(),
    metavar="projects/P/topics/T",
    help="Where to publish: the topic that the pipeline reads. Not needed with --dry-run.",
)
@click.option("--stage", "stages", multiple=True, metavar="STAGE", help="Only of this step.")
@click.option("--error-code", "error_codes", multiple=True, metavar="CODE", help="Only this cause.")
@click.option("--message-id", "message_ids", multiple=True, metavar="ID", help="Only this message.")
@click.option("--since", type=Instant(), metavar="TIME", help="Only rejected at or after this.")
@click.option("--until", type=Instant(), metavar="TIME", help="Only rejected before this.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_COUNT), help="At most so many, the oldest first."
)
@click.option(
    "--max-replays",
    type=click.IntRange(1, MAX_COUNT),
    default=1,
    show_default=True,
    help="How often one message may be replayed in all; more: those that failed again too.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Also what was replayed and has not failed again: it may come twice.",
)
@click.option(
    "--rate",
    type=Number(0.001, 1_000_000),
    default=500.0,
    show_default=True,
    metavar="PER_SECOND",
    help="Messages a second.",
)
@click.option("--dry-run", is_flag=True, help="Only count, by cause; publish and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--quiet", is_flag=True, help="Only the outcome: no causes, no progress bar.")
@click.option(
    "--project",
    metavar="PROJECT",
    help="Pays for the queries.  [default: that of the error table]",
)
def replay(
    error_table: TableName,
    topic: str | None,
    stages: tuple[str, ...],
    error_codes: tuple[str, ...],
    message_ids: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    max_replays: int,
    again: bool,
    rate: float,
    dry_run: bool,
    yes: bool,
    quiet: bool,
    project: str | None,
) -> None:
    """Publish rejected messages again.

    Each message is published as it came in, to the byte, with its attributes, and is recorded in
    a table beside the error table, so that it is not replayed twice by accident. Stages and codes
    are those of the error table; options that may be given many times are or-ed.

    \b
    Examples:
      claims replay --error-table my-project.claims.errors --dry-run
      claims replay --error-table my-project.claims.errors --stage validate \\
        --since 2026-11-23 --topic projects/my-project/topics/claims
    """
    if not dry_run and not topic:
        raise click.UsageError("Give --topic, or --dry-run.")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError("Nobody is here to be asked: give --yes, or --dry-run.")
    table_options.check_range(since, until)
    selection = Selection(
        stages=stages,
        error_codes=error_codes,
        message_ids=message_ids,
        since=since,
        until=until,
        max_replays=max_replays,
        again=again,
    )
    with unwinding(), connect(project or error_table.project) as queries:
        record = replays_name(error_table)
        known = record if queries.has(record) else None
        counts = ErrorTable(queries, error_table, known, selection).counts()
        if not counts:
            _say_nothing_matches(error_table, selection)
        if not quiet:
            _show(counts)
        ready = sum(count.messages for count in counts if count.outcome == READY)
        asked = min(ready, limit or ready)
        if dry_run or not topic or not asked:
            click.echo(f"{'would replay' if dry_run else 'replayed'} {asked:,} messages")
            return
        if not yes:
            question = f"Publish {asked:,} messages to {topic}?"
            if not click.confirm(question):
                raise click.ClickException("nothing was published")
        replays = ReplayRecord(queries, record, topic)
        with turn(queries, record, 1 / rate) as ours:
            publication = Republication(topic, replays, rate, ours.keep)
            began = time.monotonic()
            rows = ErrorTable(queries, error_table, record, selection).ready(limit)
            try:
                with closing(ProgressLine("messages", hidden=quiet)) as line:
                    for done in publication.send(rows):
                        line.update(done, min(1.0, done / asked))
            finally:
                click.echo(_summary(publication, asked, time.monotonic() - began))
    if publication.refused:
        raise click.ClickException(_refusals(publication))


def _say_nothing_matches(error_table: TableName, selection: Selection) -> None:
    """Say so; where more than a time was asked for, it is a failure.

    Raises:
        click.ClickException: some stage, error code or message id was given.
    """
    text = f"no message of {error_table} matches"
    if selection.names_messages:
        raise click.ClickException(f"{text} --stage, --error-code and --message-id as given")
    click.echo(
        f"{text} --since and --until as given"
        if selection.since or selection.until
        else f"no message is in {error_table}"
    )


def _refusals(publication: Republication) -> str:
    refused = publication.outcomes["refused"]
    more = ", ..." if refused > len(publication.refused) else ""
    names = ", ".join(map(printable, publication.refused))
    return f"Pub/Sub refused {refused:,} messages as invalid, each for itself: {names}{more}"


def _show(counts: list[Count]) -> None:
    """A row a cause, a column an outcome."""
    if not counts:
        return
    from rich.text import Text

    from claims_ops.shared.terminal import console

    causes = dict.fromkeys((count.stage, count.error_code) for count in counts)
    found = {count[:3]: count.messages for count in counts}
    outcomes = [name for name in OUTCOMES if any(count.outcome == name for count in counts)]
    table = _table(["stage", "error code"], [OUTCOMES[name] for name in outcomes])
    for cause in causes:
        cells = [f"{found.get((*cause, name), 0):,}" for name in outcomes]
        table.add_row(*(Text(printable(each or "")) for each in cause), *cells)
    console().print(table)


def _table(names: list[str], numbers: list[str]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _summary(publication: Republication, asked: int, seconds: float) -> str:
    left = [
        f"{messages:,} {OUTCOMES[outcome]}"
        for outcome, messages in publication.outcomes.items()
        if outcome != READY
    ]
    told = f"replayed {publication.outcomes[READY]:,} of {asked:,} messages in {seconds:.1f} s"
    return "; ".join([told, *left])

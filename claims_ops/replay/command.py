"""`claims replay`: publishes messages of the error table again, once the cause is fixed."""

import json
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from claims_ops.replay.record import ReplayRecord
from claims_ops.replay.republication import Republication
from claims_ops.replay.selection import OUTCOMES, READY, Count, ErrorTable, Selection
from claims_ops.replay.turn import turn
from claims_ops.shared import table_options
from claims_ops.shared.counted import counted
from claims_ops.shared.interruption import unwinding
from claims_ops.shared.option_types import MAX_COUNT, Instant, Number, TopicName
from claims_ops.shared.progress import ProgressLine
from claims_ops.shared.queries import connect
from claims_ops.shared.replays import replays_name
from claims_ops.shared.terminal import printable
from pipeline.claims.tables import TableName
from pipeline.launch.nearest import nearest

if TYPE_CHECKING:
    from rich.table import Table

_CAUSES = {
    "--stage": "was rejected at stage {}",
    "--error-code": "has the error code {}",
}
"""What an option selects messages by."""


@click.command()
@table_options.error_table
@click.option(
    "--topic",
    type=TopicName(),
    metavar="projects/P/topics/T",
    help="Topic to publish to, usually the one the pipeline reads. Not needed with --dry-run.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="STAGE",
    help="Only messages that this step rejected.",
)
@click.option(
    "--error-code",
    "error_codes",
    multiple=True,
    metavar="CODE",
    help="Only messages with this error code.",
)
@click.option(
    "--message-id",
    "message_ids",
    multiple=True,
    metavar="ID",
    help="Only the message with this ID.",
)
@click.option(
    "--since", type=Instant(), metavar="TIME", help="Only messages rejected at or after this time."
)
@click.option(
    "--until", type=Instant(), metavar="TIME", help="Only messages rejected before this time."
)
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_COUNT),
    help="Publish at most this many messages, oldest first.",
)
@click.option(
    "--max-replays",
    type=click.IntRange(1, MAX_COUNT),
    default=1,
    show_default=True,
    help="Maximum number of replays per message. Raise it to retry messages whose replay was"
    " rejected.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Also publish messages that were already replayed successfully (creates duplicates).",
)
@click.option(
    "--rate",
    type=Number(0.001, 1_000_000),
    default=500.0,
    show_default=True,
    metavar="PER_SECOND",
    help="Messages per second.",
)
@click.option(
    "--dry-run", is_flag=True, help="Count the messages by cause without publishing them."
)
@click.option("--yes", is_flag=True, help="Publish without asking for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--quiet", is_flag=True, help="Print only the outcome.")
@click.option(
    "--project",
    metavar="PROJECT",
    help="Project billed for the queries.  [default: the project of the error table]",
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
    as_json: bool,
    quiet: bool,
    project: str | None,
) -> None:
    """Republish rejected messages.

    Publishes each original message, byte for byte, with its attributes. There are two exceptions:
    for a message with several claims, it publishes only the rejected claim, as JSON; and if the
    job ran with pseudonymise, the message contains pseudonyms. Messages that the error table does
    not hold in full (truncated or redacted) are left out.

    Records each published message in a table in the same dataset as the error table, so that a
    later run does not publish it again. If a message is published but cannot be recorded, the
    command says so and exits with 1.

    Repeat --stage, --error-code or --message-id to match any of several values.

    \b
    Examples:
      claims replay --error-table my-project.claims.errors --dry-run
      claims replay --error-table my-project.claims.errors --stage validate \\
        --since 2026-11-23 --topic projects/my-project/topics/claims
    """
    if not dry_run and not topic:
        raise click.UsageError("Pass --topic to publish, or --dry-run to only count.")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError(
            "No terminal to confirm on: pass --yes to publish, or --dry-run to only count."
        )
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
            if stages or error_codes:
                causes = ErrorTable(queries, error_table, known, Selection()).counts()
                _check_words("--stage", stages, {cause.stage for cause in causes})
                _check_words("--error-code", error_codes, {cause.error_code for cause in causes})
            if not as_json or selection.names_messages:
                _say_nothing_matches(error_table, selection)
        if not (quiet or as_json):
            _show(counts)
        ready = sum(count.messages for count in counts if count.outcome == READY)
        asked = min(ready, limit or ready)
        if dry_run or not topic or not asked:
            text = f"{'would replay' if dry_run else 'replayed'} {counted(asked, 'message')}"
            click.echo(_json(counts, asked) if as_json else text)
            return
        if not yes:
            question = f"Publish {counted(asked, 'message')} to {topic}?"
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
                text = _summary(publication, asked, time.monotonic() - began)
                click.echo(_json(counts, asked, publication) if as_json else text)
    if publication.refused:
        raise click.ClickException(_refusals(publication))


def _check_words(option: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse a word that no row has, but that resembles one that some have.

    Raises:
        click.UsageError: names both.
    """
    for word in given:
        meant = nearest(word, sorted(known))
        if word not in known and meant:
            cause = _CAUSES[option].format(repr(word))
            raise click.UsageError(f"{option}: no message {cause}; did you mean {meant}?")


def _say_nothing_matches(error_table: TableName, selection: Selection) -> None:
    """Report that nothing matches; a failure if the selection is more than a time range.

    Raises:
        click.ClickException: some stage, error code or message id was given.
    """
    text = f"no message in {error_table} matches"
    if selection.names_messages:
        raise click.ClickException(f"{text} the given --stage, --error-code and --message-id")
    click.echo(
        f"{text} the given --since and --until"
        if selection.since or selection.until
        else f"{error_table} is empty"
    )


def _refusals(publication: Republication) -> str:
    refused = publication.outcomes["refused"]
    more = ", ..." if refused > len(publication.refused) else ""
    names = ", ".join(map(printable, publication.refused))
    return f"Pub/Sub refused {counted(refused, 'message')} as invalid: {names}{more}"


def _json(counts: list[Count], asked: int, publication: Republication | None = None) -> str:
    """The outcome for programs; the outcomes of a run without a publication are null."""
    figures = {
        "causes": [count._asdict() for count in counts],
        "asked": asked,
        "replayed": publication.outcomes[READY] if publication else 0,
        "outcomes": dict(publication.outcomes) if publication else None,
        "refused_ids": publication.refused if publication else [],
    }
    return json.dumps(figures, indent=2)


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
    replayed = publication.outcomes[READY]
    told = f"replayed {replayed:,} of {counted(asked, 'message')} in {seconds:.1f} s"
    return "; ".join([told, *left])

"""`claims reconcile`: every message that came in is a row, or it is named."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import click

from claims_ops.reconcile.reconciliation import Books, Reconciliation
from claims_ops.shared import file_options, table_options
from claims_ops.shared.counted import counted
from claims_ops.shared.option_types import MAX_COUNT
from claims_ops.shared.progress import ProgressLine
from claims_ops.shared.queries import connect
from claims_ops.shared.terminal import printable
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.tables import TableName

_SOURCES = "--published, --message-ids or --input-files"


@click.command()
@table_options.output_table
@table_options.error_table
@click.option(
    "--published",
    type=click.IntRange(0, MAX_COUNT),
    metavar="COUNT",
    help="Number of messages published to Pub/Sub, not counting replays.",
)
@click.option(
    "--message-ids",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="File with the IDs of the published messages, one per line; - reads stdin.",
)
@click.option(
    "--input-files",
    metavar="PATTERN",
    help="Input files of the backfill, exactly as passed at launch. Each JSON line, CSV row or X12"
    " claim is one message.",
)
@click.option(
    "--input-format",
    type=click.Choice(list(FORMATS)),
    default="JSON",
    show_default=True,
    help="Format of these files, as passed at launch.",
)
@file_options.delimiter
@file_options.encoding
@table_options.since
@table_options.until
@table_options.payer
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
def reconcile(
    output_table: TableName,
    error_table: TableName,
    published: int | None,
    message_ids: Iterator[str] | None,
    input_files: str | None,
    input_format: str,
    csv_delimiter: str,
    csv_encoding: str,
    since: datetime | None,
    until: datetime | None,
    project: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prove that no message was lost.

    Counts messages by ID: each message that arrived must have a row in the claims table or the
    error table. A replayed message counts once, as a claim if a replay was accepted. A message with
    several claims counts once, as a claim if all of them were accepted. The time range must cover
    every row of these messages. A document that the claim map skipped (it returned []) has no row
    and is reported as missing; the job's `skipped` metric counts these documents.

    Exits with 1 if the numbers do not match. Duplicate rows are normal, because the pipeline writes
    each message at least once; the view in sql/claims_deduplicated.sql hides them.

    \b
    Examples:
      claims reconcile --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --published 2000 --since 2026-11-23
      claims reconcile --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --input-files 'gs://my-bucket/claims/*.ndjson.gz'
    """
    if sum(each is not None for each in (published, message_ids, input_files)) != 1:
        raise click.UsageError(f"Pass exactly one of {_SOURCES}.")
    table_options.check_range(since, until)
    with connect(project or output_table.project) as queries:
        for table in (output_table, error_table):
            if not queries.has(table):
                raise click.ClickException(f"table {table} does not exist")
        books = Books(queries, output_table, error_table, since, until)
        if published is not None:
            outcome = books.by_count(published)
        else:
            with closing(ProgressLine("messages", hidden=quiet, has_end=False)) as line:
                ids = (
                    line_ids(str(input_files), input_format, Dialect(csv_delimiter, csv_encoding))
                    if message_ids is None
                    else _given(message_ids)
                )
                outcome = books.by_ids(_shown(ids, line))
    click.echo(json.dumps(figures(outcome), indent=2) if as_json else told(outcome))
    if not outcome.closes:
        wait = "; wait until the job has worked through the replays, then run this command again"
        late = wait if outcome.figures.replays_missing else ""
        raise click.ClickException(f"the numbers do not match{late}")


def _given(lines: Iterable[str]) -> Iterable[str]:
    """The ids of a file, each once.

    Raises:
        click.UsageError: it is not UTF-8, as a file of PowerShell may be.
    """
    try:
        return dict.fromkeys(filter(None, (each.rstrip("\r\n") for each in lines)))
    except UnicodeError:
        raise click.UsageError("--message-ids: the file is not UTF-8 text") from None


def _shown(ids: Iterable[str], line: ProgressLine) -> Iterator[str]:
    for done, each in enumerate(ids):
        line.update(done)
        yield each


def figures(outcome: Reconciliation) -> dict[str, Any]:
    """The outcome for programs."""
    balance = outcome.balance
    return {
        "closes": outcome.closes,
        "published": balance.published,
        "missing": max(0, balance.published - balance.rows),
        "unexpected": max(0, balance.rows - balance.published),
        "first_missing_ids": outcome.missing,
        **outcome.figures._asdict(),
    }


def told(outcome: Reconciliation) -> str:
    """The outcome, a line a finding."""
    balance, figures = outcome.balance, outcome.figures
    lines = [str(balance)]
    missing = balance.published - balance.rows
    if missing > 0:
        lines.append(f"missing: {counted(missing, 'message')} without a row")
        lines += [f"  {printable(each)}" for each in outcome.missing]
        if outcome.missing and missing > len(outcome.missing):
            lines.append("  ...")
    elif missing < 0:
        lines.append(f"unexpected: {counted(-missing, 'more message')} than were published")
    if figures.split:
        lines.append(
            f"messages with several claims: {figures.split:,}"
            f" ({counted(figures.split_claims, 'claim')},"
            f" {counted(figures.split_errors, 'error')})"
        )
    if figures.replays or figures.replays_unrecorded:
        arrived = figures.replays - figures.replays_missing
        extra = figures.replays_unrecorded
        have, were = ("has", "was") if extra == 1 else ("have", "were")
        unrecorded = f"; {extra:,} more {have} a row but {were} not recorded"
        lines.append(
            f"replays: {arrived:,} of {figures.replays:,} recorded replays have a row"
            f"{unrecorded if extra else ''}"
        )
    lines.append(
        f"duplicates: {counted(figures.twice_in_claims, 'row')} in claims,"
        f" {counted(figures.twice_in_errors, 'row')} in errors,"
        f" {counted(figures.in_both, 'message')} in both,"
        f" {counted(figures.accepted_twice, 'claim')} accepted again by replays"
        if figures.duplicates
        else "duplicates: none"
    )
    return "\n".join(lines)


def line_ids(
    pattern: str, input_format: str = "JSON", csv_dialect: Dialect | None = None
) -> Iterator[str]:
    """The ids that a backfill gives to the messages of its files.

    Raises:
        click.ClickException: there are no such files, or one cannot be read to its end.
    """
    from pipeline.transforms.lines import read_lines, split
    from pipeline.transforms.source_files import match

    place = pattern
    try:
        files = list(match(pattern))
        for lines in (lines for file in files for lines in split(file, input_format)):
            place = f"{lines.path} from byte {lines.start}"
            for message in read_lines(lines, input_format, csv_dialect or Dialect()):
                place = f"error after message {message.message_id}"
                yield str(message.message_id)
    except Exception as error:  # each file system and each packer has its own
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise click.ClickException(f"{place}: {reason}") from None
    if not files:
        raise click.ClickException(f"no file matches {pattern}")

"""`claims reconcile`: every message that came in is a row, or it is named."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime

import click

from claims_ops.reconcile.reconciliation import Books, Reconciliation
from claims_ops.shared import table_options
from claims_ops.shared.option_types import MAX_COUNT
from claims_ops.shared.progress import ProgressLine
from claims_ops.shared.queries import connect
from claims_ops.shared.terminal import printable
from pipeline.claims.tables import TableName

_SOURCES = "--published, --message-ids or --input-files"


@click.command()
@table_options.output_table
@table_options.error_table
@click.option(
    "--published",
    type=click.IntRange(0, MAX_COUNT),
    metavar="COUNT",
    help="Messages that were published to Pub/Sub, replays not counted.",
)
@click.option(
    "--message-ids",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="The ids of these messages, one a line; - is stdin.",
)
@click.option(
    "--input-files",
    metavar="PATTERN",
    help="The files of a backfill, spelled as at its launch: each line is a message.",
)
@table_options.since
@table_options.until
@table_options.payer
@click.option("--quiet", is_flag=True, help="No progress bar.")
def reconcile(
    output_table: TableName,
    error_table: TableName,
    published: int | None,
    message_ids: Iterator[str] | None,
    input_files: str | None,
    since: datetime | None,
    until: datetime | None,
    project: str | None,
    quiet: bool,
) -> None:
    """Prove that no message is lost.

    Counts messages by their ids: each that came in must have a row in the claims or in the error
    table. A message that was replayed counts once, as a claim if the replay became one. The range
    of time must begin before the first row of these messages, and end after the last.

    Exit code 1 when the balance does not close. Duplicates do not keep it open: the pipeline
    writes at least once, and sql/claims_deduplicated.sql shows each message once.

    \b
    Examples:
      claims reconcile --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --published 2000 --since 2026-11-23
      claims reconcile --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --input-files 'gs://my-bucket/claims/*.ndjson.gz'
    """
    if sum(each is not None for each in (published, message_ids, input_files)) != 1:
        raise click.UsageError(f"Give one of {_SOURCES}.")
    table_options.check_range(since, until)
    with connect(project or output_table.project) as queries:
        for table in (output_table, error_table):
            if not queries.has(table):
                raise click.ClickException(f"there is no table {table}")
        books = Books(queries, output_table, error_table, since, until)
        if published is not None:
            outcome = books.by_count(published)
        else:
            with closing(ProgressLine("messages", hidden=quiet, has_end=False)) as line:
                ids = line_ids(str(input_files)) if message_ids is None else _given(message_ids)
                outcome = books.by_ids(_shown(ids, line))
    click.echo(told(outcome))
    if not outcome.closes:
        raise click.ClickException("the balance does not close")


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


def told(outcome: Reconciliation) -> str:
    """The outcome, a line a finding."""
    balance, figures = outcome.balance, outcome.figures
    lines = [str(balance)]
    missing = balance.published - balance.rows
    if missing > 0:
        lines.append(f"missing: {missing:,} messages without a row")
        lines += [f"  {printable(each)}" for each in outcome.missing]
        if outcome.missing and missing > len(outcome.missing):
            lines.append("  ...")
    elif missing < 0:
        lines.append(f"unexpected: {-missing:,} messages more than were published")
    if figures.replays or figures.replays_unrecorded:
        arrived = figures.replays - figures.replays_missing
        unrecorded = f", {figures.replays_unrecorded:,} besides that are not on record"
        lines.append(
            f"replays: {arrived:,} of {figures.replays:,} have a row"
            f"{unrecorded if figures.replays_unrecorded else ''}"
        )
    lines.append(
        f"duplicates: {figures.twice_in_claims:,} rows in claims,"
        f" {figures.twice_in_errors:,} rows in errors, {figures.in_both:,} messages in both,"
        f" {figures.accepted_twice:,} claims through replays"
        if figures.duplicates
        else "duplicates: none"
    )
    return "\n".join(lines)


def line_ids(pattern: str) -> Iterator[str]:
    """The ids that a backfill gives to the lines of its files.

    Raises:
        click.ClickException: there are no such files, or one cannot be read to its end.
    """
    from pipeline.transforms.lines import read_lines, split
    from pipeline.transforms.source_files import match

    place = pattern
    try:
        files = list(match(pattern))
        for lines in (lines for file in files for lines in split(file)):
            place = f"{lines.path} from byte {lines.start}"
            for message in read_lines(lines):
                place = f"behind {message.message_id}"
                yield str(message.message_id)
    except Exception as error:  # each file system and each packer has its own
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise click.ClickException(f"{place}: {reason}") from None
    if not files:
        raise click.ClickException(f"no file matches {pattern}")

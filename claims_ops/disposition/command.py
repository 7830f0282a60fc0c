"""`claims disposition`: records what reviewers decided about claims."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import IO

import click

from claims_ops.disposition.decision import Decision, Fault, FileFaults, decision, read
from claims_ops.disposition.ledger import Ledger
from claims_ops.shared import file_options, table_options
from claims_ops.shared.counted import counted
from claims_ops.shared.dispositions import OUTCOMES
from claims_ops.shared.queries import connect
from claims_ops.shared.terminal import printable
from pipeline.claims.tables import TableName

_FAULTS_SHOWN = 20


@click.group()
def disposition() -> None:
    """Record reviewers' decisions about claims.

    Decisions are appended to a table in the same dataset as the claims table, and the newest
    decision on a claim counts. The `rule_precision` query, the backtest and the report combine
    these decisions with labels.

    \b
    Examples:
      claims disposition add --help
      claims disposition import --help
    """


@disposition.command()
@table_options.output_table
@click.option("--claim-id", required=True, metavar="ID", help="Claim ID, as in the claims table.")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), required=True, help="The decision.")
@click.option("--amount-recovered", metavar="AMOUNT", help="Money recovered or not paid out.")
@click.option("--reviewer", metavar="NAME", help="Pseudonym or team of the reviewer.")
@click.option("--reviewed-at", metavar="TIME", help="When the decision was made.  [default: now]")
@click.option("--note", metavar="TEXT", help="Free text, up to 1,000 characters.")
@table_options.payer
def add(output_table: TableName, project: str | None, **texts: str | None) -> None:
    """Record one decision about a claim.

    \b
    Examples:
      claims disposition add --output-table my-project.claims.claims --claim-id C-1001 \\
        --outcome improper_payment --amount-recovered 1250.00 --reviewer team-a
    """
    given = {name: text or "" for name, text in texts.items()}
    try:
        made = decision(given, datetime.now(UTC), None)
    except Fault as fault:
        name, colon, reason = str(fault).partition(":")
        raise click.UsageError(f"--{name.replace('_', '-')}{colon}{reason}") from None
    unknown = _append(output_table, project, [made])
    if unknown:
        raise click.ClickException(
            f"{output_table} does not contain this claim; nothing was recorded"
        )
    click.echo("recorded 1 decision")


@disposition.command("import")
@table_options.output_table
@click.argument("file", type=click.File("rb"))
@file_options.delimiter
@file_options.encoding
@click.option("--reviewer", metavar="NAME", help="Reviewer for lines that do not name one.")
@table_options.payer
def import_(
    output_table: TableName,
    file: IO[bytes],
    csv_delimiter: str,
    csv_encoding: str,
    reviewer: str | None,
    project: str | None,
) -> None:
    """Record decisions from a CSV file (- for stdin).

    The header names the columns: claim_id and outcome, and any of amount_recovered, reviewer,
    reviewed_at and note. If a line has no reviewed_at, the current time is used. If any line is
    invalid, nothing is recorded, and the first 20 errors are listed with their line numbers. If
    every line has a reviewed_at, importing the same file again has no effect on the results.

    \b
    Examples:
      claims disposition import --output-table my-project.claims.claims decisions.csv
    """
    try:
        text = file.read().decode("utf-8-sig" if csv_encoding == "UTF-8" else csv_encoding)
    except UnicodeDecodeError:
        raise click.UsageError(f"{file.name} is not {csv_encoding} text") from None
    try:
        found = read(StringIO(text, newline=""), csv_delimiter, datetime.now(UTC), reviewer)
    except FileFaults as error:
        raise _refused(file.name, error.faults) from None
    lines = [line for line, _ in found]
    unknown = _append(output_table, project, [made for _, made in found])
    if unknown:
        faults = [
            f"line {lines[place]}: claim_id: {output_table} does not contain this claim"
            for place in unknown
        ]
        raise _refused(file.name, faults)
    click.echo(f"recorded {counted(len(found), 'decision')}")


def _append(table: TableName, project: str | None, decisions: Sequence[Decision]) -> list[int]:
    """Append the decisions if every claim is known; else the places of those that are not."""
    with connect(project or table.project) as queries:
        if not queries.has(table):
            raise click.ClickException(f"table {table} does not exist")
        ledger = Ledger(queries, table)
        unknown = ledger.unknown(decisions)
        if not unknown:
            ledger.append(decisions, datetime.now(UTC))
        return unknown


def _refused(name: str, faults: Sequence[str]) -> click.ClickException:
    name = printable(name)
    for fault in faults[:_FAULTS_SHOWN]:
        click.echo(f"{name}: {fault}", err=True)
    if len(faults) > _FAULTS_SHOWN:
        click.echo(f"{name}: and {len(faults) - _FAULTS_SHOWN:,} more", err=True)
    return click.ClickException(f"{name}: {counted(len(faults), 'error')}; nothing was recorded")

"""`claims report`: a page about the two tables, for people."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from claims_ops.report.measures import Scope, measure
from claims_ops.shared import table_options
from claims_ops.shared.queries import Queries, connect
from pipeline.claims.tables import TableName

NEEDED = "a report needs {}, which the image leaves out: run make setup in a checkout"


@click.command()
@table_options.output_table
@table_options.error_table
@table_options.since
@table_options.until
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="File to write; - writes to stdout.",
)
@click.option(
    "--include-claims",
    is_flag=True,
    help="Also list the riskiest claims. The page then contains health data.",
)
@table_options.payer
def report(
    output_table: TableName,
    error_table: TableName,
    since: datetime | None,
    until: datetime | None,
    output: str,
    include_claims: bool,
    project: str | None,
) -> None:
    """Write an HTML report on the claims in a time range.

    Shows volumes, risky providers with reasons, scores by amount, rejections, data quality and
    latency in a single HTML file without scripts or external resources. Only aggregates leave
    BigQuery unless you pass --include-claims. docs/operate/report.md explains each part.

    \b
    Examples:
      claims report --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --since 2026-11-23 --until 2026-11-24
    """
    table_options.check_range(since, until)
    scope = Scope(output_table, error_table, since, until)
    with connect(project or output_table.project) as queries:
        for table in (output_table, error_table):
            if not queries.has(table):
                raise click.ClickException(f"table {table} does not exist")
        write(queries, scope, output, include_claims)
    if output != "-":
        click.echo(f"The report: {output}")


def write(queries: Queries, scope: Scope, output: str | Path, include_claims: bool = False) -> None:
    """Query BigQuery and write the page; a file is written whole or not at all.

    Raises:
        click.ClickException: a package is missing, or BigQuery does not answer.
        OSError: the file cannot be written.
    """
    try:
        from claims_ops.report.page import render
    except ModuleNotFoundError as missing:
        raise click.ClickException(NEEDED.format(missing.name)) from None
    page = render(measure(queries, scope, include_claims), scope, datetime.now(UTC))
    _save(page, Path(output), private=include_claims)


def _save(page: str, path: Path, *, private: bool) -> None:
    """A private page is for its owner only, as is a file that it replaces."""
    is_file = path.is_file()
    if private and is_file:
        path.chmod(0o600)
    mask = os.umask(0o077) if private else None
    try:
        # A device such as /dev/stdout is written to, not replaced.
        atomic = is_file or not path.exists()
        with click.open_file(str(path), "w", encoding="utf-8", atomic=atomic) as file:
            file.write(page)
    finally:
        if mask is not None:
            os.umask(mask)

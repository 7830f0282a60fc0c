"""`claims profiles`: what providers billed lately, from the claims table to files for workers."""

import io
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from string import Template
from typing import Any

import click

from claims_ops.shared import table_options
from claims_ops.shared.counted import counted
from claims_ops.shared.queries import Queries, connect
from claims_ops.shared.spreadsheet import row_writer
from pipeline.claims.tables import TableName

SQL = Path(__file__).parents[2] / "sql"
NAMES = ("provider_profile", "claim_percentiles")
"""Queries, files without suffix, and the launch parameters that take them."""
_SCHEDULED = """\
EXPORT DATA OPTIONS (
  uri = '{folder}/{name}-*.csv', format = 'CSV', header = TRUE, overwrite = TRUE
) AS
{query};
"""


class _Day(click.ParamType[date]):
    """`2026-11-23`."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a valid date. Example: 2026-11-23.", param, ctx)


@click.command()
@table_options.output_table
@click.option(
    "--to",
    "folder",
    required=True,
    metavar="FOLDER",
    help="Where to write the files: gs://bucket/folder, or a local folder.",
)
@click.option(
    "--as-of",
    type=_Day(),
    metavar="DAY",
    help="Last day of service to include.  [default: today (UTC)]",
)
@click.option(
    "--scheduled-query",
    is_flag=True,
    help="Print the SQL for an equivalent BigQuery scheduled query instead of running anything.",
)
@table_options.payer
def profiles(
    output_table: TableName,
    folder: str,
    as_of: date | None,
    scheduled_query: bool,
    project: str | None,
) -> None:
    """Compute the provider profiles that some signals need.

    Writes provider_profile.csv and claim_percentiles.csv for the launch parameters of the same
    names. Jobs launched with these files reload them while they run. Profiles cover 180 days of
    service, and count only current claims if the view of current claims exists.

    \b
    Examples:
      claims profiles --output-table my-project.claims.claims --to gs://my-bucket/reference
      bq query --use_legacy_sql=false --display_name='claims profiles' \\
        --schedule='every 24 hours' "$(claims profiles --scheduled-query \\
        --output-table my-project.claims.claims --to gs://my-bucket/reference)"
    """
    folder = folder.rstrip("/")
    if scheduled_query:
        if not folder.startswith("gs://"):
            raise click.UsageError(
                "A scheduled query can only export to Cloud Storage; pass --to gs://..."
            )
        for name in NAMES:
            # BigQuery fills in the day of each run.
            query = sql_of(name, current_claims(output_table), "@run_date")
            click.echo(_SCHEDULED.format(folder=folder, name=name, query=query))
        return
    day = as_of or datetime.now(UTC).date()
    with connect(project or output_table.project) as queries:
        if not queries.has(output_table):
            raise click.ClickException(f"table {output_table} does not exist")
        source = current_claims(output_table)
        if not queries.has(source):
            click.echo(
                f"view {source} does not exist, so every version of a claim is counted", err=True
            )
            source = output_table
        for name in NAMES:
            path, rows = write(queries, name, source, day, folder)
            click.echo(f"{path}: {counted(rows, 'row')} as of {day}")


def current_claims(claims: TableName) -> TableName:
    """The view of current claims."""
    return claims._replace(table=f"{claims.table}_current")


def sql_of(name: str, source: TableName, as_of: str) -> str:
    """A query over claims as of a day, a DATE expression; without its last line end.

    Raises:
        click.ClickException: there is no `sql/`, because this is not a checkout.
    """
    try:
        text = (SQL / f"{name}.sql").read_text("utf-8")
    except FileNotFoundError as error:
        raise click.ClickException(
            f"{error.filename} is missing; run the command in a checkout"
        ) from None
    return Template(text).substitute(CURRENT_CLAIMS=f"`{source}`", AS_OF=as_of).rstrip()


def write(
    queries: Queries, name: str, source: TableName, day: date, folder: str
) -> tuple[str, int]:
    """Write the file of one query, at once. Returns its path and the number of its rows."""
    result = queries.rows(sql_of(name, source, f"DATE '{day}'"), {})
    written = io.StringIO(newline="")
    write_row = row_writer(written)
    write_row(field.name for field in result.schema)
    rows = 0
    for values in _values(queries, result):
        write_row(values)
        rows += 1
    path = f"{folder}/{name}.csv"
    _put(path, written.getvalue().encode())
    return path, rows


def _values(queries: Queries, result: Any) -> Iterator[Sequence[Any]]:
    for row in queries.read(result):
        yield tuple(row.values())


def _put(path: str, content: bytes) -> None:
    if not path.startswith("gs://"):
        new = Path(f"{path}.new")
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        os.replace(new, path)
        return
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    from pipeline.clients import reason_of, storage_client

    bucket, _, name = path.removeprefix("gs://").partition("/")
    try:
        storage_client().bucket(bucket).blob(name).upload_from_string(content, "text/csv")
    except (GoogleAPIError, GoogleAuthError) as error:
        raise click.ClickException(f"{path}: {reason_of(error)}") from None

"""The options of commands that read the two tables, declared once."""

from datetime import datetime

import click

from claims_ops.shared.option_types import BigqueryTable, Instant

output_table = click.option(
    "--output-table",
    type=BigqueryTable(),
    required=True,
    metavar="PROJECT.DATASET.TABLE",
    help="The pipeline's claims table, or a view of it.",
)
error_table = click.option(
    "--error-table",
    type=BigqueryTable(),
    required=True,
    metavar="PROJECT.DATASET.TABLE",
    help="The pipeline's error table.",
)
since = click.option(
    "--since", type=Instant(), metavar="TIME", help="Only rows written at or after this time."
)
until = click.option(
    "--until", type=Instant(), metavar="TIME", help="Only rows written before this time."
)
payer = click.option(
    "--project",
    metavar="PROJECT",
    help="Project billed for the queries.  [default: the project of the claims table]",
)


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Check that `since` is before `until`.

    Raises:
        click.UsageError: it is not.
    """
    if since and until and since >= until:
        raise click.UsageError("--since must be before --until.")

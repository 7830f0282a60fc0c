"""The options of commands that read the two tables, declared once."""

import click

from claims_ops.shared.option_types import BigqueryTable, Instant

output_table = click.option(
    "--output-table",
    type=BigqueryTable(),
    required=True,
    metavar="PROJECT.DATASET.TABLE",
    help="The claims table of the pipeline, or a view of it.",
)
error_table = click.option(
    "--error-table",
    type=BigqueryTable(),
    required=True,
    metavar="PROJECT.DATASET.TABLE",
    help="The error table of the pipeline.",
)
since = click.option(
    "--since", type=Instant(), metavar="TIME", help="Only rows made at or after this."
)
until = click.option("--until", type=Instant(), metavar="TIME", help="Only rows made before this.")
payer = click.option(
    "--project",
    metavar="PROJECT",
    help="Pays for the queries.  [default: that of the claims table]",
)

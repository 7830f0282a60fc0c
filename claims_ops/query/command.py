"""`claims query`: answers of the queries in `sql/`, or of a file, as a table, CSV or JSON."""

from collections.abc import Sequence

import click

from claims_ops.query import output
from claims_ops.query.statement import Statement, find, listed
from claims_ops.query.tables import placeholders
from claims_ops.shared import table_options
from claims_ops.shared.documents import rules_of
from claims_ops.shared.option_types import BigqueryTable
from claims_ops.shared.queries import connect
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName
from pipeline.launch.nearest import meant


@click.command()
@click.argument("query", required=False, metavar="[NAME|FILE]")
@click.option(
    "--output-table",
    type=BigqueryTable(),
    metavar="PROJECT.DATASET.TABLE",
    help="The pipeline's claims table.",
)
@click.option(
    "--error-table",
    type=BigqueryTable(),
    metavar="PROJECT.DATASET.TABLE",
    help="The error table, for queries about rejections.",
)
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Query parameter. Repeatable.",
)
@click.option(
    "--rules", metavar="FILE", help="Rules to read weights from.  [default: the template's own]"
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="Maximum number of rows to show.",
)
@table_options.payer
def query(
    query: str | None,
    output_table: TableName | None,
    error_table: TableName | None,
    parameters: tuple[str, ...],
    rules: str | None,
    as_csv: bool,
    as_json: bool,
    rows: int,
    project: str | None,
) -> None:
    """Answer a question about claims with a query from sql/ or a file.

    Without a name, lists the queries and their parameters. A file may use the same placeholders,
    such as ${CLAIMS_TABLE}, and parameters such as @since. The output contains what the query
    selects, which may be health data. docs/operate/queries.md explains each query.

    \b
    Examples:
      claims query
      claims query why_flagged --output-table my-project.claims.claims --param claim_id=C-1001
      claims query review_queue --output-table my-project.claims.claims --param capacity=20 --csv
    """
    if query is None:
        _list()
        return
    if as_csv and as_json:
        raise click.UsageError("Pass --csv or --json, not both.")
    if output_table is None:
        raise click.UsageError("Missing option '--output-table'.")
    given_rules = rules_of(rules, Contract.default())
    statement = _found(query)
    try:
        values = statement.values(_given(parameters))
    except ValueError as error:
        raise click.UsageError(f"--param {error}") from None
    with connect(project or output_table.project) as queries:
        if not queries.has(output_table):
            raise click.ClickException(f"table {output_table} does not exist")
        tables = placeholders(queries, output_table, error_table, given_rules)
        if "${ERROR_TABLE}" in statement.sql and error_table is None:
            raise click.UsageError("This query needs --error-table.")
        try:
            sql = statement.filled(tables)
        except ValueError as error:
            raise click.UsageError(f"{query}: {error}") from None
        result = queries.rows(sql, values)
        names = [field.name for field in result.schema]
        found = queries.read(result)
        if as_json:
            output.print_json(found)
        elif as_csv:
            output.print_csv(names, found)
        else:
            output.print_table(names, found, rows, result.total_rows or 0)


def _given(parameters: Sequence[str]) -> dict[str, str]:
    given = {}
    for each in parameters:
        name, equals, text = each.partition("=")
        if not equals:
            raise ValueError("must have the form NAME=VALUE")
        given[name.removeprefix("@")] = text
    return given


def _found(word: str) -> Statement:
    try:
        return find(word)
    except UnicodeDecodeError:
        raise click.UsageError(f"{word} is not UTF-8 text") from None
    except FileNotFoundError:
        hint = (
            meant(word, [each.name for each in listed()])
            or "; run `claims query` to list the queries"
        )
        raise click.UsageError(f"{word!r} is neither a query nor a file{hint}") from None


def _list() -> None:
    found = listed()
    if not found:
        raise click.ClickException(
            "sql/ does not exist here; run the command in a checkout of the repository"
        )
    for each in found:
        click.echo(f"{each.name}\n  {each.title}")
        for parameter in each.parameters:
            default = "" if parameter.default is None else f" [{parameter.default}]"
            click.echo(
                f"  --param {parameter.name}={parameter.type}{default}: {parameter.description}"
            )

"""The analysts' queries of `sql/`, run and shown as tables.

The first line of a file, a comment, says what the query answers. `${CLAIMS_TABLE}` and
`${ERROR_TABLE}` stand for the tables.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

import click

from claims_ops.shared import records

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

DIRECTORY = Path(__file__).parents[2] / "sql"
NAMES = ("claims_today", "high_risk_claims", "errors_today")
ROWS_SHOWN = 5


class Query(NamedTuple):
    """A query of an analyst."""

    name: str
    title: str
    """What it answers."""
    sql: str
    """GoogleSQL with placeholders for the tables."""


def load() -> list[Query]:
    """The queries in the order in which they are shown.

    Raises:
        click.ClickException: there is no `sql/`, because this is not a checkout.
    """
    try:
        texts = [(DIRECTORY / f"{name}.sql").read_text() for name in NAMES]
    except FileNotFoundError as error:
        raise click.ClickException(
            f"{error.filename} is missing; run the command in a checkout of the repository"
        ) from None
    return [
        Query(name, text.partition("\n")[0].removeprefix("--").strip(), text)
        for name, text in zip(NAMES, texts, strict=True)
    ]


def answer(client: "Client", query: Query, tables: Mapping[str, str], width: int) -> str:
    """The first rows of the result, for people; `tables` fills the placeholders."""
    sql = Template(query.sql).substitute(tables)
    result = client.query_and_wait(sql, max_results=ROWS_SHOWN)
    fields = [records.Field(field.name, field.field_type) for field in result.schema]
    rows = [list(row.values()) for row in result]
    lines = [click.style(f"{query.title}  (sql/{query.name}.sql)", bold=True)]
    lines.append(records.table(fields, rows, width))
    if result.total_rows > len(rows):
        lines.append(f"{len(rows)} of {result.total_rows:,} rows")
    return "\n".join([*lines, ""])

"""The analysts' queries of `sql/`, run and shown as tables.

The first line of a file, a comment, says what the query answers. `${CLAIMS_TABLE}` and
`${ERROR_TABLE}` stand for the tables.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from rich.table import Table

DIRECTORY = Path(__file__).parents[2] / "sql"
NAMES = ("claims_today", "high_risk_claims", "errors_today")
ROWS_SHOWN = 5
_ID_CHARACTERS = 10


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


def answer(client: "Client", query: Query, tables: Mapping[str, str]) -> "Table":
    """The first rows of the result, for people; `tables` fills the placeholders."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    sql = Template(query.sql).substitute(tables)
    result = client.query_and_wait(sql, max_results=ROWS_SHOWN)
    shown = Table(
        title=f"{query.title}  (sql/{query.name}.sql)",
        title_style="bold",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for field in result.schema:
        number = field.field_type in ("INTEGER", "FLOAT", "NUMERIC")
        # Blanks let a narrow terminal break the header.
        shown.add_column(field.name.replace("_", " "), justify="right" if number else "left")
    rows = list(result)
    for row in rows:
        shown.add_row(*(_text(name, value) for name, value in row.items()))
    if result.total_rows > len(rows):
        shown.caption = f"{len(rows)} of {result.total_rows:,} rows"
        shown.caption_justify = "left"
    return shown


def _text(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    if column.endswith("_id") and len(text) > _ID_CHARACTERS:
        return f"{text[: _ID_CHARACTERS - 1]}…"
    return text

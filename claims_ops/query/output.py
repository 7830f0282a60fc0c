"""Rows of an answer as a table for people, as CSV or as JSON, row by row."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any

import click

from claims_ops.shared.counted import digits_of
from claims_ops.shared.spreadsheet import inert, row_writer
from claims_ops.shared.terminal import console, printable, printable_json
from pipeline.claims.storable import exact_number

Row = Mapping[str, Any]


def print_json(rows: Iterable[Row]) -> None:
    """Print a JSON array, a row a line."""
    lines = (
        printable_json(
            json.dumps(
                {name: _plain(value) for name, value in row.items()},
                ensure_ascii=False,
                default=str,
            )
        )
        for row in rows
    )
    first = next(lines, None)
    if first is None:
        click.echo("[]")
        return
    click.echo(f"[{first}", nl=False)
    for line in lines:
        click.echo(f",\n{line}", nl=False)
    click.echo("]")


def print_csv(names: Sequence[str], rows: Iterable[Row]) -> None:
    """Print CSV with a header. A text that a spreadsheet would run begins with an apostrophe.

    On a terminal, characters that it would obey are escaped.
    """
    is_seen = sys.stdout.isatty()
    write_row = row_writer(sys.stdout)
    write_row(names)
    for row in rows:
        write_row([_cell(value, is_seen) for value in row.values()])


def print_table(names: Sequence[str], rows: Iterable[Row], most: int, total: int) -> None:
    """Print the first rows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    some = list(islice(rows, most))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in names:
        numbers = {type(row[name]) for row in some} <= {int, float, Decimal, type(None)}
        # Blanks let a narrow terminal break the header.
        header = name.replace("_", " ")
        table.add_column(header, justify="right" if numbers else "left", overflow="fold")
    for row in some:
        table.add_row(*(Text(printable(_shown(value))) for value in row.values()))
    console().print(table)
    if total > len(some):
        click.echo(f"{len(some):,} of {total:,} rows shown; --csv and --json print all of them")
    elif not some:
        click.echo("no rows")


def _plain(value: Any) -> Any:
    """A value as JSON has it; a number that a double would round is a text."""
    if isinstance(value, Decimal):
        number = exact_number(f"{value:f}")
        return number if isinstance(number, float) else f"{value:f}"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _cell(value: Any, is_seen: bool) -> Any:
    if isinstance(value, Decimal):
        return digits_of(value)
    plain = _plain(value)
    if isinstance(plain, dict | list):
        plain = json.dumps(plain, ensure_ascii=False)
    if not isinstance(plain, str):
        return plain
    return inert(printable(plain) if is_seen else plain)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return digits_of(value, ",f")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.12g}"
    return ", ".join(_parts(value)) if isinstance(value, list) else str(_plain(value))


def _parts(values: Sequence[Any]) -> Iterator[str]:
    return (str(_plain(each)) for each in values)

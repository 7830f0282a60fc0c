"""The tables of columns in docs/reference/tables.md."""

from collections.abc import Iterable, Iterator

from claims_ops.shared.dispositions import DISPOSITIONS_TABLE
from claims_ops.shared.replays import REPLAYS_TABLE
from pipeline.claims.contract import Column, Contract
from pipeline.claims.tables import Table, claims_table, errors_table


def rows() -> Iterator[str]:
    """Its lines, in Markdown: a section for each table."""
    contract = Contract.default()
    sections = {
        "Claims: `output_table`": claims_table(contract),
        "Rejected messages: `error_table`": errors_table(),
        "Record of replays: `<error table>_replays`": REPLAYS_TABLE,
        "Decisions of reviewers: `<claims table>_dispositions`": DISPOSITIONS_TABLE,
    }
    for heading, table in sections.items():
        yield from ("", f"## {heading}", "", _summary(table), "")
        yield "| column | type | mode | what it holds |"
        yield "|---|---|---|---|"
        yield from _lines(table.columns)
    yield ""


def _summary(table: Table) -> str:
    clustering = ", ".join(f"`{name}`" for name in table.clustering)
    return (
        f"{table.description} Partitioned by day of `{table.partition_column}`,"
        f" clustered by {clustering}."
    )


def _lines(columns: Iterable[Column], prefix: str = "") -> Iterator[str]:
    for column in columns:
        name, text = f"{prefix}{column.name}", column.description.replace("|", r"\|")
        yield f"| `{name}` | {column.type} | {column.mode} | {text} |"
        yield from _lines(column.fields, f"{name}.")

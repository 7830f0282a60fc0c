"""Views and tools on tables that require a partition filter, which the emulator does not enforce.

BigQuery refuses a query that reads such a table without a comparison of its partition column.
"""

from collections.abc import Iterator
from string import Template
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from claims_ops.query.tables import rules_relation
from claims_ops.reconcile.reconciliation import Books
from claims_ops.replay.selection import ErrorTable, Selection
from claims_ops.shared.analyst_queries import DIRECTORY
from claims_ops.shared.claim_times import TIMES, placeholders
from claims_ops.shared.dispositions import DISPOSITIONS_TABLE, dispositions_name, judged_claims
from claims_ops.shared.replays import REPLAYS_TABLE
from pipeline.claims.rules import Rules
from pipeline.claims.tables import ERROR_COLUMNS, TableName, errors_table

CLAIMS, ERRORS, REPLAYS = (TableName("p", "d", name) for name in ("claims", "errors", "replays"))
PARTITIONED = {
    "claims": "processing_timestamp",
    "errors": errors_table().partition_column,
    "errors_replays": REPLAYS_TABLE.partition_column,
    "replays": REPLAYS_TABLE.partition_column,
    "claims_dispositions": DISPOSITIONS_TABLE.partition_column,
}
GIVEN = {"high_risk_claims"}
"""An analyst's query as it has always been, over all time."""


def unfiltered(sql: str) -> list[str]:
    """The tables that a statement reads without a comparison of their partition column."""
    found = []
    for table in sqlglot.parse_one(sql, dialect="bigquery").find_all(exp.Table):
        name = table.name.rpartition(".")[2] if "." in table.name else table.name
        select = table.find_ancestor(exp.Select)
        if name not in PARTITIONED or select is None:
            continue
        where = select.args.get("where")
        compared = where.find_all(exp.GTE, exp.GT, exp.EQ, exp.Between) if where else ()
        columns = {column.name for each in compared for column in each.find_all(exp.Column)}
        if PARTITIONED[name] not in columns:
            found.append(name)
    return found


def test_it_finds_what_has_no_filter():
    assert unfiltered("SELECT 1 FROM `p.d.claims` WHERE TRUE") == ["claims"]
    assert unfiltered("SELECT (SELECT 1 FROM `p.d.errors`)") == ["errors"]
    assert not unfiltered("SELECT 1 FROM `p.d.claims` WHERE processing_timestamp >= '1970-01-01'")


FILES = sorted(DIRECTORY.rglob("*.sql"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path):
    names = {"CLAIMS_TABLE": str(CLAIMS), "ERROR_TABLE": str(ERRORS)}
    # `claims profiles` reads the table itself where it has no view.
    names |= {"CURRENT_CLAIMS": f"`{CLAIMS}`", "AS_OF": "CURRENT_DATE()"}
    names["JUDGED_CLAIMS"] = judged_claims(f"`{CLAIMS}`", dispositions_name(CLAIMS))
    names["RULES"] = rules_relation(Rules.default())
    for by in TIMES:
        given = names | placeholders((), by, by)
        statement = Template(path.read_text()).safe_substitute(given)
        assert bool(unfiltered(statement)) == (path.stem in GIVEN)


class Asked:
    """Queries that are kept, and answered with nothing."""

    def __init__(self) -> None:
        self.sql: list[str] = []

    def has(self, table: TableName) -> bool:
        return True

    def columns(self, table: TableName) -> frozenset[str]:
        return frozenset(column.name for column in ERROR_COLUMNS)

    def rows(self, sql: str, parameters: Any, page_rows: int | None = None) -> list[Any]:
        self.sql.append(sql)
        return []

    def read(self, rows: list[Any]) -> Iterator[Any]:
        return iter(rows)


def test_replay():
    asked: Any = Asked()
    table = ErrorTable(asked, ERRORS, REPLAYS, Selection())
    table.counts()
    table.ready(5)
    assert len(asked.sql) == 2
    assert not any(map(unfiltered, asked.sql))


def test_reconcile():
    asked: Any = Asked()
    books = Books(asked, CLAIMS, ERRORS)
    books.by_count(1)
    books.by_ids(["1"])
    assert len(asked.sql) == 3
    assert not any(map(unfiltered, asked.sql))

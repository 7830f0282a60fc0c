"""The queries of `sql/`: rows in, answers out, on the emulator."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any

import pytest
from google.cloud import bigquery

from pipeline.claims.contract import Contract
from pipeline.table_setup import TableSetup
from pipeline.tables import TableName, claims_table, errors_table
from pipeline.tools.analyst_queries import DIRECTORY, NAMES, load
from tests.tools.test_views import VIEWS

CASES = Path(__file__).parents[1] / "cases/queries"
TODAY = datetime.now(UTC).date()
DAYS = {
    "TODAY": TODAY.isoformat(),
    "YESTERDAY": (TODAY - timedelta(days=1)).isoformat(),
    "LONG_AGO": (TODAY - timedelta(days=40)).isoformat(),
}
QUERIES = sorted(path.stem for path in (CASES / "expected").glob("*.json"))


def case(name: str) -> Any:
    return json.loads(Template((CASES / f"{name}.json").read_text()).substitute(DAYS))


@pytest.fixture(scope="module")
def tables(bigquery_client: bigquery.Client) -> Mapping[str, str]:
    """Both tables, filled, by their placeholders."""
    dataset = f"{bigquery_client.project}.analyst_queries"
    bigquery_client.create_dataset(dataset)
    claims, errors = (TableName.parse(f"{dataset}.{name}") for name in ("claims", "errors"))
    setup = TableSetup(bigquery_client, create=True)
    setup.ensure(claims, claims_table(Contract.default()))
    setup.ensure(errors, errors_table())
    assert not bigquery_client.insert_rows_json(str(claims), case("claims"))
    assert not bigquery_client.insert_rows_json(str(errors), case("errors"))
    return {"CLAIMS_TABLE": str(claims), "ERROR_TABLE": str(errors)}


def as_json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value.isoformat()


@pytest.mark.parametrize("name", QUERIES)
def test_answer(name: str, bigquery_client: bigquery.Client, tables: Mapping[str, str]):
    sql = (DIRECTORY / f"{name}.sql").read_text()
    answer = bigquery_client.query_and_wait(Template(sql).substitute(tables))
    rows = [json.loads(json.dumps(dict(row), default=as_json)) for row in answer]
    if "ORDER BY" not in sql:
        rows.sort(key=lambda row: row["claim_id"])
    assert rows == case(f"expected/{name}")


@pytest.mark.parametrize("name", QUERIES)
def test_no_rows_are_no_error(name: str, bigquery_client: bigquery.Client, dataset: str):
    setup = TableSetup(bigquery_client, create=True)
    empty = {"CLAIMS_TABLE": f"{dataset}.claims", "ERROR_TABLE": f"{dataset}.errors"}
    setup.ensure(TableName.parse(empty["CLAIMS_TABLE"]), claims_table(Contract.default()))
    setup.ensure(TableName.parse(empty["ERROR_TABLE"]), errors_table())
    sql = (DIRECTORY / f"{name}.sql").read_text()
    assert list(bigquery_client.query_and_wait(Template(sql).substitute(empty))) == []


def test_each_file_has_a_case_and_is_documented():
    files = {path.stem for path in DIRECTORY.glob("*.sql")}
    assert files == {*QUERIES, *VIEWS}
    documented = (DIRECTORY.parent / "docs/queries.md").read_text()
    assert [name for name in files if f"(../sql/{name}.sql)" not in documented] == []


def test_the_demo_shows_queries_with_titles():
    assert {*NAMES} <= {*QUERIES}
    assert all(query.title for query in load())

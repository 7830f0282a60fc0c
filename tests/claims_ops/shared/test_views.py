"""The views of `sql/`: rows in, rows out, on the emulator."""

import json
from pathlib import Path
from string import Template
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops.shared.analyst_queries import DIRECTORY
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table
from pipeline.sinks.bigquery.table_setup import TableSetup

CASES = Path(__file__).parents[2] / "cases/views"
FILLED = {
    "patient_id": "P",
    "provider_id": "V",
    "claim_amount": "1",
    "claim_status": "PAID",
}
VIEWS = sorted(path.stem for path in CASES.glob("*.json"))


@pytest.mark.parametrize("name", VIEWS)
def test_view(name: str, bigquery_client: bigquery.Client, dataset: str):
    cases: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text())
    table = TableName.parse(f"{dataset}.claims")
    TableSetup(bigquery_client, create=True).ensure(table, claims_table(Contract.default()))
    rows = [FILLED | row for case in cases.values() for row in (*case["shown"], *case["hidden"])]
    assert not bigquery_client.insert_rows_json(str(table), rows)
    statement = Template((DIRECTORY / f"{name}.sql").read_text())
    for _ in range(2):  # it replaces itself
        bigquery_client.query_and_wait(statement.substitute(CLAIMS_TABLE=str(table)))
    view = f"{table}_{name.removeprefix('claims_')}"
    found = bigquery_client.query_and_wait(f"SELECT * FROM `{view}`")
    shown = [row for case in cases.values() for row in case["shown"]]
    assert sorted(row["pipeline_version"] for row in found) == sorted(
        row["pipeline_version"] for row in shown
    )

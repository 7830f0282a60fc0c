"""The whole backfill while BigQuery's answers fail by script: the balance closes all the same."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from google.cloud import bigquery

from claims_ops.reconcile.command import line_ids
from claims_ops.reconcile.reconciliation import Books
from claims_ops.shared.queries import Queries
from pipeline import graph
from pipeline.claims.tables import Table, TableName, claims_table, errors_table
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.sinks.bigquery.table_setup import TableSetup
from pipeline.transforms.sources import ReadFiles
from sandbox.generate import outputs
from sandbox.synthetic import samples
from tests.sinks.bigquery.test_write_chaos import SEEDS, script_of
from tests.support.bigquery.cutting_proxy import CuttingProxy
from tests.support.bigquery.fault_server import FaultServer
from tests.support.faults.worker import LIMITS, SETTINGS

LINES = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TABLES = {"claims": claims_table(SETTINGS.contract), "errors": errors_table()}


@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_line_is_accounted_for(
    seed: int, bigquery_client: bigquery.Client, dataset: str, tmp_path: Path
):
    path = tmp_path / "claims.ndjson"
    with outputs.lines(str(path)) as output:
        for sample in samples.messages(LINES, 0.1, seed, datetime.now(UTC)):
            output.write(sample.data)
    names = {name: TableName.parse(f"{dataset}.{name}") for name in TABLES}
    with FaultServer(script=script_of(seed)) as server, CuttingProxy(server.address) as proxy:
        server.cut = proxy.cut
        server.is_bad = lambda row: row.get("claim_amount", "").endswith("7")
        kept = {
            name: server.create(stream_of(names[name]), table.columns)
            for name, table in TABLES.items()
        }
        limits = replace(LIMITS, budget_seconds=120, max_backoff_seconds=0.05)
        sinks = graph.Sinks(
            *(
                StorageWrite(names[name], table.columns, endpoint=proxy.address, limits=limits)
                for name, table in TABLES.items()
            )
        )
        with beam.Pipeline("FnApiRunner") as pipeline:
            graph.build(pipeline | "ReadMessages" >> ReadFiles(str(path)), SETTINGS, sinks)
    for name, table in TABLES.items():
        TableSetup(bigquery_client, create=True).ensure(names[name], table)
        copy(kept[name].rows, table, bigquery_client, names[name])

    books = Books(Queries(bigquery_client), names["claims"], names["errors"])
    outcome = books.by_ids(line_ids(str(path)))
    assert outcome.closes, outcome
    refused = [row for row in kept["errors"].rows if row["stage"] == "write"]
    assert {row["error_code"] for row in refused} == {"row_fields_error"}
    written = Counter(row["message_id"] for state in kept.values() for row in state.rows)
    duplicated = {message_id for message_id, rows in written.items() if rows > 1}
    assert duplicated <= {row["message_id"] for row in server.lost + server.maybe_lost}
    figures = outcome.figures
    assert written.total() - len(written) == figures.twice_in_claims + figures.twice_in_errors
    print(
        f"\nseed {seed}: {outcome.balance}, 0 missing; {server.counts['requests']} requests,"
        f" {proxy.cuts} connections cut; duplicates: {len(duplicated)}, answer lost"
    )


def stream_of(name: TableName) -> str:
    place = f"projects/{name.project}/datasets/{name.dataset}/tables/{name.table}"
    return f"{place}/streams/_default"


def copy(
    rows: list[dict[str, Any]], table: Table, client: bigquery.Client, name: TableName
) -> None:
    """Rows of the fault server into a real table: what the table requires, and the message id."""
    kept = [column for column in table.columns if column.mode == "REQUIRED"]
    kept += [column for column in table.columns if column.name == "message_id"]

    def json_of(row: dict[str, Any]) -> dict[str, Any]:
        values = {column.name: row[column.name] for column in kept}
        timestamp = timedelta(microseconds=values[table.partition_column])
        return values | {table.partition_column: (EPOCH + timestamp).isoformat()}

    for start in range(0, len(rows), 500):
        assert not client.insert_rows_json(
            str(name), [json_of(row) for row in rows[start : start + 500]]
        )

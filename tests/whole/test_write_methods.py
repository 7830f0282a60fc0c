"""The same messages through both write methods give the same tables."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.cloud import bigquery

from pipeline import main
from sandbox.emulators.emulators import BigqueryServer
from sandbox.generate import outputs
from sandbox.synthetic import samples

MESSAGES = 400
PER_RUN = {"processing_timestamp", "error_timestamp"}


def contents(client: bigquery.Client, table: str) -> Counter[str]:
    """The rows of a table, but for the columns that tell when they were made."""
    rows = client.query_and_wait(f"SELECT * FROM `{table}`", wait_timeout=30)
    return Counter(
        repr(sorted((name, value) for name, value in row.items() if name not in PER_RUN))
        for row in rows
    )


def test_both_write_methods_fill_equal_tables(
    bigquery_server: BigqueryServer,
    bigquery_client: bigquery.Client,
    dataset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in bigquery_server.environment.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "claims.ndjson"
    with outputs.lines(str(path)) as output:
        for sample in samples.messages(MESSAGES, 0.25, 7, datetime.now(UTC), variants=0.3):
            output.write(sample.data)
    for method in ("STORAGE_WRITE_API", "STREAMING_INSERTS"):
        given = [f"--output_table={dataset}.{method}", f"--error_table={dataset}.{method}_errors"]
        source = ["--runner=FnApiRunner", f"--input_files={path}", f"--write_method={method}"]
        assert main.main([*source, *given]) == 0
    for suffix in ("", "_errors"):
        ours = contents(bigquery_client, f"{dataset}.STORAGE_WRITE_API{suffix}")
        beams = contents(bigquery_client, f"{dataset}.STREAMING_INSERTS{suffix}")
        assert ours == beams
        assert sum(ours.values()) == (MESSAGES // 4 if suffix else MESSAGES - MESSAGES // 4)

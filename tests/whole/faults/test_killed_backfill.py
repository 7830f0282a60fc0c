"""A backfill that is killed and launched again: every line is a row, some of them two."""

import json
import os
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops.reconcile.command import line_ids
from claims_ops.reconcile.reconciliation import Books
from claims_ops.shared.queries import Queries
from pipeline.claims.tables import TableName
from sandbox.synthetic import synthetic
from tests.support.faults.processes import PROCESSES, launch
from tests.whole.test_jobs import count, tables

LINES = 1_000


@pytest.mark.usefixtures("emulated")
def test_a_killed_backfill_is_made_whole_by_the_next(
    bigquery_client: bigquery.Client, dataset: str, tmp_path: Path
):
    path = tmp_path / "claims.ndjson"
    # Long claims, so that a few of them fill a request.
    claims = synthetic.claims(1, datetime.now(UTC), variants=0)
    good = (json.dumps(claim | {"attachment": "x" * 4_000}) for claim in islice(claims, LINES))
    lines = ("not a claim" if n % 10 == 0 else line for n, line in enumerate(good))
    path.write_text("\n".join(lines))
    arguments = ["--runner=FnApiRunner", f"--input_files={path}", *tables(dataset)]
    written = killed_midway(started(arguments), bigquery_client, dataset)
    assert 0 < written < LINES
    second = started(arguments)
    second.join()
    assert second.exitcode == 0

    names = (TableName.parse(f"{dataset}.{table}") for table in ("claims", "errors"))
    outcome = Books(Queries(bigquery_client), *names).by_ids(line_ids(str(path)))
    assert outcome.closes
    assert outcome.balance[:3] == (LINES, LINES * 9 // 10, LINES // 10)
    # The cause of each duplicate: it was written before the kill.
    assert written <= outcome.figures.duplicates < LINES
    assert outcome.figures.in_both == 0


def started(arguments: list[str]) -> Any:
    process = PROCESSES.Process(target=launch, args=(arguments, dict(os.environ)))
    process.start()
    return process


def killed_midway(process: Any, client: bigquery.Client, dataset: str) -> int:
    """SIGKILL a backfill when there are rows, and tell how many there were just before."""
    while process.is_alive():
        time.sleep(0.05)
        names = [table.table_id for table in client.list_tables(dataset)]
        if "claims" in names and (rows := count(client, f"{dataset}.claims")):
            process.kill()
            process.join()
            return rows
    raise AssertionError("the backfill was done before it could be killed")

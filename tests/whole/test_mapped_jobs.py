"""Jobs with a claim map on the emulators, and the commands around them: nothing is lost or doubled.

X12 837 comes in files, in Pub/Sub messages and in `claims check`; a Bundle with one invalid claim
is reconciled, and that claim replayed alone once the schema is fixed.
"""

import gzip
import json
import signal
import subprocess
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from pipeline import main
from pipeline.claims.contract import default_contract_text
from sandbox.emulators.emulators import PubsubServer
from tests.claims.formats.test_x12 import STYLES
from tests.claims.formats.x12_files import expected, interchange
from tests.conftest import Feed
from tests.whole.test_jobs import backfill, count, job, publish, tables
from tests.whole.test_shapes import bundle

pytestmark = pytest.mark.usefixtures("emulated")

HALF, ALL = 500, 1000
FILES = {
    kind: interchange(kind, range(HALF), first) + interchange(kind, range(HALF, ALL), second)
    for kind, first, second in zip("PID", STYLES[1:], STYLES[2:], strict=False)
}
"""Of each kind 1,000 claims, in two interchanges with separators of their own."""
KEPT = ("claim_id", "patient_id", "provider_id", "billing_npi", "claim_type")
LISTS = ("diagnosis_codes", "procedure_codes")


def stop_when(
    arrived: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 80
) -> None:
    """Wait for rows, then interrupt the job as an operator would."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None and not arrived():
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)
    assert process.returncode == main.EXIT_INTERRUPTED, log.decode()


def check_x12(rows: list[dict[str, Any]]) -> None:
    """Every claim once, with its amount, date, codes and lines."""
    by_id = {row["claim_id"]: row for row in rows}
    assert len(rows) == len(by_id) == len(FILES) * ALL
    for kind in FILES:
        for number in range(ALL):
            wanted = expected(kind, number)
            row = by_id[wanted["claim_id"]]
            assert [row[name] for name in KEPT] == [wanted[name] for name in KEPT]
            assert [list(row[name]) for name in LISTS] == [wanted[name] for name in LISTS]
            assert row["service_date"].isoformat() == wanted["service_date"]
            assert row["claim_amount"] == Decimal(f"{wanted['claim_amount']:.2f}")
            assert [
                (line["line_number"], line["procedure_code"], line["charge_amount"])
                for line in row["service_lines"]
            ] == [
                (place, code, Decimal(charge))
                for place, (code, charge) in enumerate(
                    zip(wanted["procedure_codes"], wanted["charges"], strict=True), 1
                )
            ]


def begins_where_its_id_says(row: dict[str, Any]) -> bool:
    """Whether the claim is at the offset of its message id, which names file and offset."""
    kind, offset = row["claim_id"][0], int(row["message_id"].rpartition(":")[2])
    segment = FILES[kind][offset:].partition(row["claim_id"].encode())[0]
    return len(segment) == 4 and segment.startswith(b"CLM")


def rows_of(client: bigquery.Client, dataset: str) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query_and_wait(f"SELECT * FROM `{dataset}.claims`")]


def reconcile(dataset: str, *arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What `claims reconcile` prints of a balance that closes."""
    of_tables = [f"--output-table={dataset}.claims", f"--error-table={dataset}.errors"]
    capsys.readouterr()
    assert cli.main(["reconcile", "--quiet", *of_tables, *arguments]) == 0
    return capsys.readouterr().out


def test_x12_of_three_kinds_from_files_pubsub_and_at_the_shell(
    bigquery_client: bigquery.Client,
    pubsub_server: PubsubServer,
    feed: Feed,
    dataset: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    for kind, data in FILES.items():
        (tmp_path / f"{kind}.837").write_bytes(gzip.compress(data) if kind == "P" else data)
    assert cli.main(["check", "--json", *(str(tmp_path / f"{kind}.837") for kind in FILES)]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert (checked["claims"], checked["rejected"]) == (len(FILES) * ALL, 0)

    of_files = f"{dataset}_files"
    backfill(of_files, tmp_path / "*.837", "--input_format=X12", "--dataset_location=US")
    found = rows_of(bigquery_client, of_files)
    check_x12(found)
    assert {row["claims_in_message"] for row in found} == {None}
    assert all(begins_where_its_id_says(row) for row in found)
    balance = reconcile(
        of_files, f"--input-files={tmp_path}/*.837", "--input-format=X12", capsys=capsys
    )
    assert balance.startswith(f"published {len(FILES) * ALL} = {len(FILES) * ALL} claims + 0")

    publish(pubsub_server, feed.topic, FILES.values())
    source = [f"--input_subscription={feed.subscription}", "--input_format=X12"]
    with job("--runner=DirectRunner", *source, *tables(dataset)) as process:
        stop_when(lambda: arrived(bigquery_client, dataset, len(FILES) * ALL), process)
    found = rows_of(bigquery_client, dataset)
    check_x12(found)
    assert {row["claims_in_message"] for row in found} == {ALL}
    assert sorted(row["claim_index"] for row in found) == sorted(len(FILES) * [*range(ALL)])
    assert count(bigquery_client, f"{dataset}.errors") == 0
    balance = reconcile(dataset, f"--published={len(FILES)}", capsys=capsys)
    assert f"messages with several claims: {len(FILES)} (3,000 claims, 0 errors)" in balance


def arrived(client: bigquery.Client, dataset: str, claims: int) -> bool:
    names = {table.table_id for table in client.list_tables(dataset)}
    return {"claims", "errors"} <= names and count(client, f"{dataset}.claims") >= claims


def test_one_invalid_claim_of_a_bundle_is_replayed_after_a_schema_fix(
    bigquery_client: bigquery.Client,
    feed: Feed,
    dataset: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    path, tight = tmp_path / "bundle.ndjson", tmp_path / "tight.json"
    path.write_text(json.dumps(bundle(30, 300, broken=-1)) + "\n")
    contract = json.loads(default_contract_text())
    contract["properties"]["claim_id"]["pattern"] = "^(?!claim-17$)"
    tight.write_text(json.dumps(contract))
    mapped = "--claim_map=fhir_r4_bundle"
    backfill(dataset, path, mapped, f"--claim_schema={tight}")
    files = f"--input-files={path}"
    assert reconcile(dataset, files, capsys=capsys).splitlines()[:2] == [
        "published 1 = 0 claims + 1 error",
        "messages with several claims: 1 (29 claims, 1 error)",
    ]

    # Launched again with a schema that lets it pass.
    replay = [f"--error-table={dataset}.errors", f"--topic={feed.topic}", "--yes", "--quiet"]
    assert cli.main(["replay", *replay]) == 0
    source = f"--input_subscription={feed.subscription}"
    with job("--runner=DirectRunner", source, mapped, *tables(dataset)) as process:
        stop_when(lambda: arrived(bigquery_client, dataset, 30), process)
    found = rows_of(bigquery_client, dataset)
    assert sorted(row["claim_id"] for row in found) == sorted(f"claim-{n}" for n in range(30))
    assert sorted(row["claim_index"] for row in found) == list(range(30))
    assert {(row["claims_in_message"], row["map_version"]) for row in found} == {
        (30, found[0]["map_version"])
    }
    assert count(bigquery_client, f"{dataset}.errors") == 1
    assert reconcile(dataset, files, capsys=capsys).splitlines() == [
        "published 1 = 1 claim + 0 errors",
        "messages with several claims: 1 (30 claims, 0 errors)",
        "replays: 1 of 1 recorded replays have a row",
        "duplicates: none",
    ]
    # Nothing is left to be replayed.
    assert cli.main(["replay", f"--error-table={dataset}.errors", "--dry-run"]) == 0
    assert "0 messages" in capsys.readouterr().out

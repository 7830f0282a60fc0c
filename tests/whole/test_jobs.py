"""The real jobs, as an operator starts them, on the emulators: backfill, streaming, evolution."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery, pubsub_v1

from pipeline import main
from pipeline.claims.contract import default_contract_text
from sandbox.emulators.emulators import PROJECT, BigqueryServer, PubsubServer
from tests.conftest import Feed

CASES = Path(__file__).parents[1] / "cases/graph/input.ndjson"
LABEL = "synthetic_label_is_fraud"
COLUMNS = (
    "claim_id, CAST(claim_amount AS STRING) AS claim_amount, service_date, submission_date,"
    " days_to_submission, fraud_risk_score, high_risk_flag, risk_reasons, quality_issues,"
    " message_id, publish_time, synthetic_label_is_fraud"
)


@pytest.fixture
def emulator(bigquery_server: BigqueryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bigquery_server.environment.items():
        monkeypatch.setenv(name, value)


def tables(dataset: str) -> list[str]:
    project, name = dataset.split(".")
    return [f"--output_table={project}:{name}.claims", f"--error_table={dataset}.errors"]


def backfill(dataset: str, pattern: Path, *arguments: str) -> None:
    """A backfill in this process."""
    given = ["--runner=FnApiRunner", f"--input_files={pattern}", *tables(dataset), *arguments]
    assert main.main(given) == 0


def rows(client: bigquery.Client, dataset: str, columns: str = COLUMNS) -> dict[str, Any]:
    found = client.query_and_wait(f"SELECT {columns} FROM `{dataset}.claims`", wait_timeout=30)
    listed = [dict(row) for row in found]
    by_claim = {row["claim_id"]: row for row in listed}
    assert len(by_claim) == len(listed)
    return by_claim


def count(client: bigquery.Client, table: str) -> int:
    [row] = client.query_and_wait(f"SELECT COUNT(*) AS n FROM `{table}`", wait_timeout=30)
    return row.n


def expected_days(claim: dict[str, Any]) -> int | None:
    try:
        service = date.fromisoformat(claim["service_date"])
        return (date.fromisoformat(claim["submission_date"]) - service).days
    except TypeError:  # one of them is null
        return None


def flipped(line: bytes) -> bytes:
    claim = json.loads(line)
    return json.dumps({**claim, LABEL: 1 - claim[LABEL]}).encode()


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[str]:
    """A flag that gives Beam a Prism; the job must not start it, let alone download one."""
    started, program = tmp_path / "started", tmp_path / "prism"
    program.write_text(f"#!/bin/sh\ntouch {started}\nexit 1\n")
    program.chmod(0o755)
    yield f"--prism_location={program}"
    assert not started.exists()


def test_backfill_as_a_program(
    emulator, bigquery_client, dataset, claims, trap: str, tmp_path: Path
):
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join(claims) + b"\n")
    program = [sys.executable, "-m", "pipeline.main", "--runner=DirectRunner", trap]
    ended = subprocess.run(
        [*program, f"--project={PROJECT}", f"--input_files={path}", *tables(dataset)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr
    found = rows(bigquery_client, dataset)
    given = {claim["claim_id"]: claim for claim in map(json.loads, claims)}
    assert found.keys() == given.keys()
    assert count(bigquery_client, f"{dataset}.errors") == 0
    for claim_id, row in found.items():
        assert 0 <= row["fraud_risk_score"] <= 1
        assert row["days_to_submission"] == expected_days(given[claim_id])
        assert float(row["claim_amount"]) == given[claim_id]["claim_amount"]
    whole = f"SELECT TO_JSON_STRING(t) AS t FROM `{dataset}.claims` t"
    assert not any('"None"' in row.t for row in bigquery_client.query_and_wait(whole))
    # No claim is in what the job says of itself.
    assert not any(claim_id in ended.stderr + ended.stdout for claim_id in given)
    assert not any(claim["patient_id"] in ended.stderr for claim in given.values())


def test_backfill_of_a_pattern_does_not_depend_on_the_label(
    emulator, bigquery_client, dataset, claims, tmp_path: Path
):
    some = claims[:200]
    for name, lines in (("a", some[:100]), ("b", some[100:])):
        packed = gzip.compress(b"\n".join(lines))
        (tmp_path / f"{name}.ndjson.gz").write_bytes(packed)
    (tmp_path / "flipped.ndjson").write_bytes(b"\n".join(map(flipped, some)))
    other = f"{dataset}_flipped"
    backfill(dataset, tmp_path / "*.ndjson.gz")
    backfill(other, tmp_path / "flipped.ndjson", "--dataset_location=US")
    straight, turned = rows(bigquery_client, dataset), rows(bigquery_client, other)
    assert len(straight) == 200
    for claim_id, row in straight.items():
        assert turned[claim_id][LABEL] == 1 - row[LABEL]
        for column in ("fraud_risk_score", "high_risk_flag", "risk_reasons", "quality_issues"):
            assert turned[claim_id][column] == row[column]


def test_new_contract_field_is_a_column_at_the_next_launch(
    emulator, bigquery_client, dataset, claims, tmp_path: Path
):
    old, new, schema = tmp_path / "old.ndjson", tmp_path / "new.ndjson", tmp_path / "claim.json"
    old.write_bytes(b"\n".join(claims[:5]))
    backfill(dataset, old)
    contract = json.loads(default_contract_text())
    contract["properties"]["payer_plan"] = {"description": "Plan.", "type": ["string", "null"]}
    schema.write_text(json.dumps(contract))
    fresh = [{**json.loads(line), "payer_plan": "Gold"} for line in claims[5:10]]
    new.write_text("\n".join(map(json.dumps, fresh)))
    backfill(dataset, new, f"--claim_schema={schema}")
    found = rows(bigquery_client, dataset, "claim_id, payer_plan, additional_fields")
    plans = {claim_id: row["payer_plan"] for claim_id, row in found.items()}
    expected = {json.loads(line)["claim_id"]: None for line in claims[:5]}
    assert plans == expected | {claim["claim_id"]: "Gold" for claim in fresh}
    assert all(row["additional_fields"] is None for row in found.values())


@contextmanager
def job(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running job, killed at the latest when the block ends."""
    program = [sys.executable, "-m", "pipeline.main", *arguments]
    # Asked to abort, it prints the stack of each thread.
    environment = os.environ | {"PYTHONFAULTHANDLER": "1"}
    with subprocess.Popen(program, stderr=subprocess.PIPE, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def output_at_end(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """What a job that is ending has printed; where it does not end, what each thread does."""
    try:
        return process.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        pytest.fail(f"the job does not end:\n{process.communicate(timeout=15)[1].decode()}")


def publish(server: PubsubServer, topic: str, messages: Iterable[bytes]) -> dict[str, bytes]:
    """Publish, and return the messages by the ids that they got."""
    settings = pubsub_v1.types.BatchSettings(max_messages=100)
    publisher = pubsub_v1.PublisherClient(settings)
    sent = [(publisher.publish(topic, data, source="test"), data) for data in messages]
    ids = {future.result(timeout=30): data for future, data in sent}
    publisher.stop()
    publisher.transport.close()
    return ids


def test_streaming_job(
    emulator,
    bigquery_client: bigquery.Client,
    pubsub_server: PubsubServer,
    feed: Feed,
    dataset: str,
    claims: list[bytes],
    trap: str,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in pubsub_server.environment.items():
        monkeypatch.setenv(name, value)
    bad = CASES.read_bytes().splitlines()[21:37]
    sent = publish(pubsub_server, feed.topic, [*claims[:200], *filter(None, bad)])
    source = f"--input_subscription={feed.subscription}"
    with job("--runner=DirectRunner", trap, source, *tables(dataset)) as process:
        deadline = time.monotonic() + 80
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.5)
            names = [table.table_id for table in bigquery_client.list_tables(dataset)]
            if len(names) == 2 and len(sent) == sum(
                count(bigquery_client, f"{dataset}.{name}") for name in names
            ):
                break
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=15)
        except subprocess.TimeoutExpired:  # Python drops an interrupt that comes in a destructor
            process.send_signal(signal.SIGINT)
            said = output_at_end(process, 15)
    assert process.returncode == main.EXIT_INTERRUPTED, said.decode()
    assert b"Traceback" not in said
    found = rows(bigquery_client, dataset)
    assert found.keys() == {json.loads(line)["claim_id"] for line in claims[:200]}
    for claim_id, row in found.items():
        assert json.loads(sent[row["message_id"]])["claim_id"] == claim_id
        assert abs(row["publish_time"].timestamp() - time.time()) < 600
    errors = list(bigquery_client.query_and_wait(f"SELECT * FROM `{dataset}.errors`"))
    accounted = [row.message_id for row in errors] + [row["message_id"] for row in found.values()]
    assert sorted(accounted) == sorted(sent)
    for row in errors:
        original = sent[row.message_id]
        assert (row.raw_message.encode() if row.raw_bytes is None else row.raw_bytes) == original
        assert row.attributes == [{"key": "source", "value": "test"}]
        assert row.publish_time is not None

"""Jobs with `pseudonymise=patient_id,claim_id`: no clear value, joins that work, two jobs alike."""

import base64
import functools
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops.replay.message import replay_of
from pipeline import main
from pipeline.claims.contract import default_contract_text
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.launch import prepare
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.privacy.pseudonyms import PREFIX, Pseudonyms
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite
from tests.support.claims.core import CLEAN
from tests.support.memory_table import MemoryTable
from tests.support.secret_manager import secret_manager
from tests.test_graph import MESSAGES, SETTINGS, InMemory, batch, by_id, refuse_odd, streaming
from workshop.graph_record.fingerprint import fingerprint
from workshop.graph_record.launches import LAUNCHES, STREAMING, pipeline_of

KEY = "Key4b1d-wUf3n0b2Rr8Jm6Yq1Xz7Lc5TdGhK"
SECRET = "projects/my-project/secrets/claims-pseudonyms/versions/1"
PSEUDONYMS = Pseudonyms(KEY.encode())
CLEAR = "Patient7f3a"


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return str(path)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with secret_manager() as service:
        monkeypatch.setenv("SECRET_MANAGER_EMULATOR_HOST", service.address)
        service.versions[SECRET] = KEY.encode()
        yield SECRET


def line(claim: int, patient: Any, **changes: Any) -> bytes:
    return json.dumps(
        {**CLEAN, "claim_id": f"{CLEAR}-C{claim}", "patient_id": patient, **changes}
    ).encode()


def backfill(dataset: str, key: str, path: Path, lines: list[bytes], *more: str) -> None:
    path.write_bytes(b"\n".join(lines))
    tables = [f"--output_table={dataset}.claims", f"--error_table={dataset}.errors"]
    asked = ["--pseudonymise=patient_id,claim_id", f"--pseudonym_key={key}"]
    given = ["--runner=FnApiRunner", f"--input_files={path}", *tables, *asked, *more]
    assert main.main(given) == 0


def rows(client: bigquery.Client, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query_and_wait(f"SELECT * FROM `{table}`")]


def in_full(row: dict[str, Any]) -> str:
    data = row.get("raw_bytes") or b""
    if row.get("raw_encoding") == "gzip":
        data = gzip.decompress(data)
    return repr({**row, "raw_bytes": data})


@pytest.mark.usefixtures("emulated")
def test_two_jobs_and_a_replay(
    bigquery_client: bigquery.Client,
    dataset: str,
    key: str,
    secret: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    small = functools.partial(StorageWrite, limits=AppendLimits(max_request_bytes=10_000_000))
    monkeypatch.setattr(prepare, "StorageWrite", small)  # so that a row can be too large
    ann, bob = f"{CLEAR}-ann", 7351924735192
    first = [
        line(1, ann),
        line(2, ann, claim_amount=2_000_000),  # above the maximum of the schema
        line(3, bob),
        line(4, ann, more="x" * 10_000_000),  # too large for a row
        line(5, [ann]),
        line(6, ann)[:-1],
        line(7, ann, diagnosis_codes=7),
    ]
    second = [line(8, ann), line(9, str(bob)), line(10, f"{CLEAR}-cleo")]
    other = f"{dataset}_other"
    bigquery_client.create_dataset(other)
    backfill(dataset, secret, tmp_path / "first.ndjson", first)
    backfill(other, key, tmp_path / "second.ndjson", second)

    tables = {name: rows(bigquery_client, f"{name}.claims") for name in (dataset, other)}
    errors = rows(bigquery_client, f"{dataset}.errors")
    everything = [*tables[dataset], *tables[other], *errors]
    assert len(everything) == len(first) + len(second)
    for row in everything:
        for clear in (CLEAR, str(bob), base64.b64encode(CLEAR.encode()).decode()[:-2]):
            assert clear not in in_full(row)

    expected = {
        dataset: {(1, ann), (3, str(bob))},
        other: {(8, ann), (9, str(bob)), (10, f"{CLEAR}-cleo")},
    }
    for name, claims in expected.items():
        assert {(row["claim_id"], row["patient_id"]) for row in tables[name]} == {
            (
                PSEUDONYMS.of("claim_id", f"{CLEAR}-C{claim}"),
                PSEUDONYMS.of("patient_id", patient),
            )
            for claim, patient in claims
        }
    joined = f"""
        SELECT a.claim_id AS one, b.claim_id AS other
        FROM `{dataset}.claims` a JOIN `{other}.claims` b USING (patient_id)"""
    assert {tuple(row.values()) for row in bigquery_client.query_and_wait(joined)} == {
        tuple(PSEUDONYMS.of("claim_id", f"{CLEAR}-C{claim}") for claim in pair)
        for pair in ((1, 8), (3, 9))
    }

    kept = {row["error_code"]: row for row in errors if row["raw_encoding"] != "redacted"}
    assert kept.keys() == {"schema_violation", "row_too_large"}
    assert kept["row_too_large"]["claim_id"] == PSEUDONYMS.of("claim_id", f"{CLEAR}-C4")
    withheld = [row for row in errors if row["raw_encoding"] == "redacted"]
    assert sorted(row["error_code"] for row in withheld) == ["invalid_json", "schema_violation"]
    assert [replay_of(row) for row in withheld] == ["redacted", "redacted"]

    document = json.loads(default_contract_text())
    document["properties"]["claim_amount"]["maximum"] = 5_000_000
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(document))
    replays = [
        replay.data
        for row in errors
        if row["stage"] == "validate" and not isinstance(replay := replay_of(row), str)
    ]
    assert len(replays) == 2
    repaired = tmp_path / "replays.ndjson"
    backfill(dataset, secret, repaired, replays, f"--claim_schema={mended}")
    same_patient = f"""
        SELECT claim_id FROM `{dataset}.claims`
        WHERE patient_id = '{PSEUDONYMS.of("patient_id", ann)}'"""
    assert {row["claim_id"] for row in bigquery_client.query_and_wait(same_patient)} == {
        PSEUDONYMS.of("claim_id", f"{CLEAR}-C{claim}") for claim in (1, 2)
    }
    assert len(rows(bigquery_client, f"{dataset}.errors")) == len(errors) + 1  # codes are wrong


@pytest.mark.parametrize("run", [batch, streaming])
def test_graph_with_pseudonyms(run: Any, key: str, monkeypatch: pytest.MonkeyPatch):
    """The same outcomes and counts, claim by claim, whether they come in batches or alone."""
    clear = InMemory(claims=MemoryTable(refuse_odd))
    run(clear)
    asked = Pseudonymisation(("claim_id", "patient_id", "place_of_service"), key)
    monkeypatch.setattr("tests.test_graph.SETTINGS", replace(SETTINGS, pseudonymisation=asked))
    odd = PSEUDONYMS.of("claim_id", "1")

    def refuse(message: Message, row: dict[str, Any]) -> Rejection | None:
        return refuse_odd(message, {"claim_id": "1"}) if row["claim_id"] == odd else None

    sinks = InMemory(claims=MemoryTable(refuse))
    run(sinks)
    for table, same in zip(sinks, clear, strict=True):
        found = {row["message_id"]: row for row in table.rows}
        expected = {row["message_id"]: row for row in same.rows}
        assert found.keys() == expected.keys()
        for name, row in found.items():
            for column in ("stage", "error", "risk_reasons", "quality_issues", "claim_amount"):
                assert row.get(column) == expected[name].get(column)
    assert all(row["patient_id"].startswith(PREFIX) for row in sinks.claims.rows)
    ids = [message.message_id for message in by_id(sinks.outcomes())]
    assert ids == [message.message_id for message in MESSAGES]


def test_redacted_errors(key: str, monkeypatch: pytest.MonkeyPatch):
    asked = Pseudonymisation(("claim_id", "patient_id"), key)
    settings = replace(SETTINGS, pseudonymisation=asked, error_payload="REDACTED")
    monkeypatch.setattr("tests.test_graph.SETTINGS", settings)
    sinks = InMemory()
    batch(sinks)
    assert len(sinks.errors.rows) == 5
    for row in sinks.errors.rows:
        held = (row["raw_encoding"], row["claim_id"], row["attributes"], row["raw_bytes"])
        assert held == ("redacted", None, [], None)
    [invalid] = [row for row in sinks.errors.rows if row["message_id"] == "m3"]
    assert json.loads(invalid["raw_message"])["patient_id"] == "string"


def test_running_jobs_can_be_updated_to_pseudonyms(secret: str):
    plain = LAUNCHES[STREAMING]
    more = ["--pseudonymise=claim_id", f"--pseudonym_key={secret}"]
    assert fingerprint(pipeline_of([*plain, *more])) == fingerprint(pipeline_of(plain))

"""Beam's own sink, against a server that refuses: the message stays with its row."""

import base64
import json
import logging
import os
import pickle
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from objsize import get_deep_size

from pipeline import clients
from pipeline.claims.contract import Column, Contract
from pipeline.claims.error_row import error_row
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery import insert_client
from pipeline.sinks.bigquery.insert_client import InsertClient
from pipeline.sinks.bigquery.streaming_insert import (
    InsertRow,
    StreamingInsert,
    ToInsertRowFn,
    ToRejectionFn,
)
from pipeline.transforms.metrics import NAMESPACE
from tests.support.bigquery.insert_server import (
    LARGEST_REQUEST,
    InsertServer,
    RowError,
    accept_all,
    insert_server,
)

CLAIMS = TableName("local-project", "claims", "claims")
COLUMNS = claims_table(Contract.default()).columns
CANARY = "Canary-7f3a"
"""Stands for a value of a claim: nobody but the table may see it."""
MESSAGE = Message(b'{"notes": "Canary-7f3a"}', "17", "2026-11-23T00:00:00+00:00", {"k": "v"})


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insert_client, "INTERVAL_SECONDS", 0.05)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InsertServer]:
    with insert_server() as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        monkeypatch.setenv(
            "GOOGLE_APPLICATION_CREDENTIALS", str(clients.write_credentials(tmp_path))
        )
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "local-project")
        yield server


def row(claim_id: str, **values: Any) -> dict[str, Any]:
    return {"claim_id": claim_id, "claim_amount": "1.5", "notes": CANARY, **values}


def lacks_notes(row: Mapping[str, Any]) -> RowError | None:
    """As a server that has not heard of the column yet."""
    return RowError("invalid", "notes", "no such field: notes.") if "notes" in row else None


class NeverSleeping:
    """The module `time`, as one that does not wait."""

    time, monotonic = time.time, time.monotonic


_given: list[tuple[Message, dict[str, Any]]] = []  # in the graph itself they would be compressed
_refused: list[tuple[Message, Rejection]] = []


def _give(place: int) -> tuple[Message, dict[str, Any]]:
    return _given[place]


def _keep(element: tuple[Message, Rejection]) -> None:
    _refused.append(element)


def write(
    *rows: dict[str, Any], columns: tuple[Column, ...] = COLUMNS
) -> tuple[list[tuple[Message, Rejection]], dict[str, int]]:
    """The rows that were refused, each with its message, and the counters of the job."""
    _given[:] = [(MESSAGE._replace(message_id=str(n)), row) for n, row in enumerate(rows)]
    _refused.clear()
    with beam.Pipeline("FnApiRunner") as pipeline:
        (
            pipeline
            | beam.Create(range(len(rows)), reshuffle=False)
            | "Give" >> beam.Map(_give)
            | "Write" >> StreamingInsert(CLAIMS, columns)
            | "Keep" >> beam.Map(_keep)
        )
    counters = pipeline.result.metrics().query()["counters"]
    return list(_refused), {
        found.key.metric.name: found.result
        for found in counters
        if found.key.metric.namespace == NAMESPACE
    }


def test_rows_arrive_without_nulls_and_with_bytes_as_base64(server: InsertServer):
    columns = errors_table().columns
    given = error_row(MESSAGE._replace(data=b"\xff\x00"), Rejection("parse", "c", "e"), "t")
    refused, _ = write(given, columns=columns)
    assert refused == []
    [found] = server.rows[str(CLAIMS)]
    assert base64.b64decode(found.pop("raw_bytes")) == given.pop("raw_bytes")
    assert found == {name: value for name, value in given.items() if value is not None}
    assert "raw_message" not in found and "claim_id" not in found


def test_refused_rows_come_back_with_their_messages(server: InsertServer, caplog):
    errors = {
        "bad": RowError("invalid", "claim_amount", f"Cannot convert value: {CANARY}"),
        "odd": RowError(CANARY, CANARY, CANARY),
    }
    server.refuse = lambda row: errors.get(row["claim_id"])
    with caplog.at_level(logging.INFO):
        refused, counters = write(*map(row, ("good", "bad", "fine")))
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["good", "fine"]
    [(message, rejection)] = refused
    assert message == MESSAGE._replace(message_id="1")
    assert type(message.attributes) is dict
    assert rejection == Rejection(
        "write",
        "insert_invalid",
        "claim_amount: BigQuery refused the row: invalid",
        (),
        "bad",
    )
    assert counters == {"rejected_write_insert_invalid": 1}
    assert "There were errors inserting to BigQuery" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "errors, code, text",
    [
        (
            [{"reason": "invalid", "location": "notes", "message": CANARY}],
            "insert_invalid",
            "notes: BigQuery refused the row: invalid",
        ),
        (
            [{"reason": "invalid", "location": CANARY, "message": CANARY}],
            "insert_invalid",
            "BigQuery refused the row: invalid",
        ),
        ([{"reason": CANARY}], "insert_unknown", "BigQuery refused the row: unknown"),
        ([{"message": CANARY}], "insert_unknown", "BigQuery refused the row: unknown"),
        (
            [{"reason": "Bad Request", "message": CANARY}],
            "insert_bad_request",
            "BigQuery refused the row: Bad Request",
        ),
        (f"row with {CANARY} exceeds", "row_too_large", "the row is too large"),
        ([], "row_too_large", "the row is too large"),
    ],
)
def test_error_has_no_text_of_the_server(errors: Any, code: str, text: str):
    convert = ToRejectionFn(COLUMNS)
    convert.setup()
    [(message, rejection)] = convert.process(("t", InsertRow(row("1"), MESSAGE), errors))
    assert message is MESSAGE
    assert rejection == Rejection("write", code, text, (), "1")


@pytest.mark.parametrize("status", [503, 413])
def test_transient_failure_is_tried_again(server: InsertServer, status: int, caplog):
    server.failures = [status]
    refused, counters = write(row("1"), row("2"))
    assert refused == [] and counters == {}
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "2"]
    assert len(server.requests) == 2
    assert CANARY not in caplog.text


def test_rows_wait_for_a_quota(server: InsertServer, caplog):
    """It is answered like a permission that is lacking, after which rows would be rejected."""
    server.failures, server.reason = [403, 403], "quotaExceeded"
    refused, _ = write(row("1"), row("2"))
    assert refused == []
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "2"]
    assert "inserts are failing (quotaExceeded); rows will wait up to 300 s" in caplog.text
    assert CANARY not in caplog.text


def test_a_failure_that_lasts_fails_the_bundle_without_a_value(
    server: InsertServer, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setattr("google.cloud.bigquery.retry.DEFAULT_RETRY._timeout", 0.2)
    monkeypatch.setattr("apache_beam.utils.retry.Clock.sleep", lambda *_: None)
    server.failures = [503] * 100
    with pytest.raises(RuntimeError, match="ServiceUnavailable") as raised:
        write(row("1"))
    assert len(server.requests) > 1
    assert CANARY not in "".join(traceback.format_exception(raised.value))
    assert CANARY not in caplog.text


def test_an_error_that_passes_holds_no_row_up_for_minutes(
    server: InsertServer, monkeypatch: pytest.MonkeyPatch, caplog
):
    """Beam doubles its wait with each request of a bundle, also with those that are answered."""
    monkeypatch.setattr("apache_beam.io.gcp.bigquery.time", NeverSleeping())
    passing = iter([RowError("backendError", CANARY, CANARY), RowError("timeout", "", CANARY)])
    server.refuse = lambda row: next(passing, None) if row["claim_id"] == "2" else None
    refused, _ = write(row("1"), row("2"))
    assert refused == []
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "2"]
    assert "inserts are failing (backendError); rows will wait up to 300 s" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "error, reason",
    [
        (RowError("backendError", CANARY, CANARY), "backendError"),
        (RowError("Canary", CANARY, CANARY), "unknown"),
    ],
)
def test_an_error_that_does_not_pass_fails_the_bundle(
    server: InsertServer, monkeypatch: pytest.MonkeyPatch, error: RowError, reason: str
):
    monkeypatch.setattr(insert_client, "BUDGET_SECONDS", 0.2)
    client = InsertClient("local-project", ["claim_id", "notes"])
    server.refuse = lambda _row: error
    for _ in range(2):
        before = len(server.requests)
        with pytest.raises(RuntimeError, match=f"for several minutes: {reason}$"):
            client.insert_rows_json(str(CLAIMS), [row("1"), row("2")], ["1", "2"])
        assert 2 < len(server.requests) - before < 10


@pytest.mark.parametrize(
    "status, code",
    [(400, "insert_bad_request"), (403, "insert_forbidden")],
)
def test_request_refused_for_good_rejects_its_rows(
    server: InsertServer, status: int, code: str, caplog
):
    server.failures = [status]
    refused, counters = write(row("1"), row("2"))
    assert [rejection.error_code for _, rejection in refused] == [code, code]
    assert [message.message_id for message, _ in refused] == ["0", "1"]
    assert counters == {f"rejected_write_{code}": 2}
    assert CANARY not in caplog.text


def test_rows_wait_for_a_table_that_inserts_do_not_know_yet(server: InsertServer, caplog):
    server.failures = [404, 404]
    refused, _ = write(row("1"), row("2"))
    assert refused == []
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "2"]
    assert (
        f"{CLAIMS}: the table is not visible to inserts yet; rows will wait up to 300 s"
        in caplog.text
    )
    assert CANARY not in caplog.text


def test_rows_wait_for_a_column_that_inserts_do_not_know_yet(server: InsertServer, caplog):
    bad = RowError("invalid", "claim_amount", CANARY)
    lagging = iter([lacks_notes] * 7)  # of three rows, then twice of those with notes
    server.refuse = lambda row: bad if row["claim_id"] == "2" else next(lagging, accept_all)(row)
    refused, _ = write(row("1", notes=None), row("2", notes=None), row("3"), row("4"))
    assert [(message.message_id, each.error_code) for message, each in refused] == [
        ("1", "insert_invalid")
    ]
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "3", "4"]
    assert "column notes is not visible to inserts yet" in caplog.text
    assert CANARY not in caplog.text


def test_what_stays_missing_is_waited_for_once(
    server: InsertServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(insert_client, "BUDGET_SECONDS", 0.2)
    client = InsertClient("local-project", ["claim_id", "notes"])

    def insert(*claim_ids: str) -> list[tuple[int, str]]:
        found = client.insert_rows_json(str(CLAIMS), [row(each) for each in claim_ids], claim_ids)
        return [(error["index"], error["errors"][0]["reason"]) for error in found]

    for failure, reason in ("notes", "invalid"), ("table", "Not Found"):
        server.refuse = lacks_notes if failure == "notes" else accept_all
        server.failures = [404] * 1_000 if failure == "table" else []
        assert insert("1", "2") == [(0, reason), (1, reason)]
        before = len(server.requests)
        assert before > 2
        assert insert("1", "2") == [(0, reason), (1, reason)]
        assert len(server.requests) == before + 1
        server.refuse, server.failures = accept_all, []
        assert insert("1", "2") == []
        server.requests.clear()
        server.refuse = lacks_notes if failure == "notes" else accept_all
        server.failures = [404] * 2 if failure == "table" else []
        insert("1")
        assert len(server.requests) > 2  # it is waited for again
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "2", "1", "2", "1"]


def test_oversize_row_is_refused_alone(server: InsertServer):
    refused, _ = write(row("1"), row("2", notes="x" * 9_500_000), row("3"))
    assert [found["claim_id"] for found in server.rows[str(CLAIMS)]] == ["1", "3"]
    [(message, rejection)] = refused
    assert (rejection.error_code, rejection.claim_id) == ("row_too_large", "2")
    assert message.data == MESSAGE.data


LARGE = {
    "text": b"{" + b" " * 9_999_999,
    "random": os.urandom(9_999_999),
    "random-6MB": os.urandom(6 << 20),
    "control-characters": b"\x01" * (1 << 20),
    "one-byte-letters": "é".encode() * (1 << 19),
    "two-byte-letters": "漢".encode() * (1 << 18),
    "emoji": "😀".encode() * (1 << 18),
}


@pytest.mark.parametrize("name", LARGE)
def test_every_error_row_fits_a_request(name: str):
    """Pub/Sub takes messages of 10 MB; their error rows have nowhere else to go."""
    message = Message(LARGE[name], "1", None, {f"key{n:03}": "v" * 1024 for n in range(100)})
    values = error_row(message, Rejection("parse", "invalid_json", "e"), "t")
    [made] = ToInsertRowFn(errors_table().columns).process((message, values))
    estimate = get_deep_size((made, "insert-id"))
    assert len(json.dumps(made)) <= estimate < 9 << 20  # the limit of Beam


def test_error_rows_of_large_messages_arrive(server: InsertServer):
    messages = [Message(data) for data in (LARGE["random"], *[LARGE["control-characters"]] * 3)]
    rows = [error_row(each, Rejection("parse", "c", "e"), "t") for each in messages]
    refused, _ = write(*rows, columns=errors_table().columns)
    assert refused == []
    assert len(server.rows[str(CLAIMS)]) == 4
    assert max(server.requests) < LARGEST_REQUEST


def test_row_pickles_with_its_message():
    made = InsertRow({"claim_id": "1"}, MESSAGE)
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is InsertRow
    assert copy == {"claim_id": "1"}
    assert copy.message == MESSAGE


def test_row_survives_a_shuffle_with_its_message():
    made = InsertRow({"claim_id": "1"}, MESSAGE)
    with beam.Pipeline("FnApiRunner") as pipeline:
        seen = (
            pipeline
            | beam.Create([("key", made)])
            | beam.GroupByKey()
            | beam.FlatMap(lambda pair: pair[1])
            | beam.Reshuffle()
            | beam.Map(lambda row: (type(row).__name__, dict(row), row.message))
        )
        assert_that(seen, equal_to([("InsertRow", {"claim_id": "1"}, MESSAGE)]))


def test_row_is_not_changed_for_others():
    given = row("1", raw=None)
    [made] = ToInsertRowFn(COLUMNS).process((MESSAGE, given))
    assert "raw" in given and "raw" not in made

"""The graph with sources and sinks in memory: one outcome a message, whatever goes wrong."""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing import test_stream

from pipeline import graph
from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract
from pipeline.claims.formats import json_documents
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.rules import Rules
from pipeline.settings import Settings
from pipeline.transforms.metrics import NAMESPACE, STEP_METRICS
from tests.support.memory_table import MemoryTable

SETTINGS = Settings(Contract.default(), Rules.default(), 0.5, "0.0.0")
CANARY = "Canary-7f3a"
CLAIM = {
    "claim_id": "1",
    "patient_id": CANARY,
    "provider_id": "PRV-1",
    "billing_npi": "1234567893",
    "claim_amount": 120.5,
    "diagnosis_codes": ["J45.909"],
    "procedure_codes": ["99213"],
    "service_date": "2026-11-01",
    "submission_date": "2026-11-11",
    "claim_status": "SUBMITTED",
    "provider_region": "OH",
    "patient_age": 42,
    "patient_gender": "F",
    "place_of_service": "11",
    "notes": CANARY,
}


def noon() -> str:
    return "2026-11-23T12:00:00.000+00:00"


def message(number: int, **changes: Any) -> Message:
    data = json.dumps({**CLAIM, "claim_id": str(number), **changes}).encode()
    return Message(data, f"m{number}", "2026-11-23T11:00:00+00:00", {"source": CANARY})


MESSAGES = (
    message(0),
    message(1, claim_amount=12_000, patient_age=1),
    message(2, claim_amount=6_000, place_of_service="ER", ingest_ts="2026-11-23T11:59:58.5Z"),
    message(3, patient_age=151),
    message(4, claim_amount=CANARY),
    Message(CANARY.encode(), "m5"),
    Message(b"", "m6"),
    Message(b"\xff" + CANARY.encode(), "m7"),
)
COUNTED = {
    "received": 8,
    "accepted": 3,
    "high_risk": 1,
    "rule_high_amount": 2,
    "rule_infant_high_amount": 1,
    "quality_unknown_place_of_service": 1,
    "rejected_validate_schema_violation": 2,
    "rejected_parse_invalid_json": 1,
    "rejected_parse_empty_message": 1,
    "rejected_parse_invalid_utf8": 1,
    "event_lag_ms": 1,
}
SKIPPED = {"received": 2, "skipped": 1, "accepted": 1}


class InMemory(graph.Sinks):
    """Two tables that accept all rows, unless told otherwise."""

    def __new__(cls, claims: MemoryTable | None = None, errors: MemoryTable | None = None):
        return super().__new__(cls, claims or MemoryTable(), errors or MemoryTable())

    def outcomes(self) -> list[Message]:
        return [message for table in self for message, _ in table.elements]


def batch(sinks: graph.Sinks, messages: Iterable[Message] = MESSAGES) -> dict[str, int]:
    """Run the messages through the graph; the metrics of the job."""
    with beam.Pipeline("FnApiRunner") as pipeline:
        source = pipeline | "ReadMessages" >> beam.Create(list(messages), reshuffle=False)
        graph.build(source, SETTINGS, sinks, noon)
    return told(pipeline.result)


def streaming(sinks: graph.Sinks, messages: Iterable[Message] = MESSAGES) -> None:
    """The same, as the runner of a local streaming job does it: a bundle for each message.

    Without metrics: that runner keeps those of the first bundle of each step only.
    """
    stream = test_stream.TestStream()
    for each in messages:
        stream = stream.add_elements([each])
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    with beam.Pipeline("BundleBasedDirectRunner", options) as pipeline:
        source = pipeline | "ReadMessages" >> stream.advance_watermark_to_infinity()
        graph.build(source, SETTINGS, sinks, noon)


def told(result: Any) -> dict[str, int]:
    """Counters, and how many values each distribution has."""
    found = result.metrics().query()
    values = {each: each.result for each in found["counters"]}
    values |= {each: each.result.count for each in found["distributions"]}
    return {
        each.key.metric.name: value
        for each, value in values.items()
        if each.key.metric.namespace == NAMESPACE and value
    }


def by_id(messages: Iterable[Message]) -> list[Message]:
    return sorted(messages, key=lambda each: each.message_id or "")


@pytest.mark.parametrize("run", [batch, streaming])
def test_every_message_has_one_outcome_and_is_counted(run, caplog: pytest.LogCaptureFixture):
    sinks = InMemory()
    with caplog.at_level(logging.INFO):
        counted = run(sinks)
    assert counted is None or counted == COUNTED
    assert by_id(sinks.outcomes()) == list(MESSAGES)
    assert sorted(row["claim_id"] for row in sinks.claims.rows) == ["0", "1", "2"]
    for found, row in (*sinks.claims.elements, *sinks.errors.elements):
        assert (row["message_id"], row["publish_time"]) == (found.message_id, found.publish_time)
    for found, row in sinks.errors.elements:
        assert row["raw_size"] == len(found.data)
        assert CANARY not in row["error"] + str(row["violations"])
    assert CANARY not in caplog.text


def test_every_metric_is_declared():
    declared = [
        re.sub(r"\{\w+\}", "[a-z0-9_]+", metric.name)
        for metric in STEP_METRICS
        if not metric.name.startswith("reference_")  # tests/reference/test_watch.py has those
    ]
    counted = COUNTED | SKIPPED
    for name in counted:
        assert any(re.fullmatch(pattern, name) for pattern in declared), name
    assert all(any(re.fullmatch(pattern, name) for name in counted) for pattern in declared)


def test_document_without_a_claim_is_counted(monkeypatch: pytest.MonkeyPatch):
    settings = replace(SETTINGS, claim_map=ClaimMap("claim_id = '1' ? [] : $"))
    monkeypatch.setattr("tests.test_graph.SETTINGS", settings)
    sinks = InMemory()
    assert batch(sinks, [message(0), message(1)]) == SKIPPED
    assert [row["claim_id"] for row in sinks.claims.rows] == ["0"]


@pytest.mark.parametrize(
    "ingest_ts, lag_ms",
    [("2026-11-23T06:59:58.5-05:00", 1_500), ("2026-11-23T12:00:01Z", -1_000), (None, None)],
)
def test_event_lag_is_sampled_once_a_bundle(ingest_ts: str | None, lag_ms: int | None):
    rows = [message(number, ingest_ts=ingest_ts) for number in range(50)]
    with beam.Pipeline("FnApiRunner") as pipeline:
        source = pipeline | "ReadMessages" >> beam.Create(rows, reshuffle=False)
        graph.build(source, SETTINGS, InMemory(), noon)
    lags = [
        found.result
        for found in pipeline.result.metrics().query()["distributions"]
        if found.key.metric.name == "event_lag_ms"
    ]
    if lag_ms is None:
        assert lags == []
    else:
        [lag] = lags
        assert (lag.min, lag.max) == (lag_ms, lag_ms)
        assert lag.count < len(rows)


def refuse_odd(message: Message, row: dict[str, Any]) -> Rejection | None:
    if row["claim_id"] in ("1", "3"):
        return Rejection("write", "row_refused", "the row was refused", (), row["claim_id"])
    return None


@pytest.mark.parametrize("run", [batch, streaming])
def test_claim_that_the_table_refuses_goes_to_the_errors_with_its_message(run):
    sinks = InMemory(claims=MemoryTable(refuse_odd))
    messages = [message(number) for number in range(4)]
    run(sinks, messages)
    assert sorted(row["claim_id"] for row in sinks.claims.rows) == ["0", "2"]
    assert by_id(sinks.outcomes()) == messages
    for found, row in sinks.errors.elements:
        assert (row["stage"], row["error_code"]) == ("write", "row_refused")
        assert row["raw_message"].encode() == found.data
        assert row["attributes"] == [{"key": "source", "value": CANARY}]


def surprise(*_: Any) -> Any:
    raise KeyError(CANARY)


@pytest.mark.parametrize(
    "owner, name, stage",
    [
        (json_documents, "decode", "parse"),
        (Contract, "accept", "validate"),
        (ClaimRows, "rows", "enrich"),
    ],
)
def test_surprise_in_a_step_is_an_internal_error(
    owner: Any,
    name: str,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(owner, name, surprise)
    sinks = InMemory()
    with caplog.at_level(logging.INFO):
        counted = batch(sinks, MESSAGES[:2])
    assert counted == {"received": 2, f"rejected_{stage}_internal_error": 2}
    assert sinks.claims.rows == []
    for found, row in sinks.errors.elements:
        assert (row["stage"], row["error_code"]) == (stage, "internal_error")
        assert row["error"] == "unexpected KeyError in this step"
        assert row["raw_message"].encode() == found.data
    assert by_id(sinks.outcomes()) == list(MESSAGES[:2])
    assert CANARY not in caplog.text


def refuse_all(message: Message, row: dict[str, Any]) -> Rejection | None:
    return Rejection("write", "row_refused", "the row was refused")


def test_error_row_that_is_refused_fails_the_job(caplog: pytest.LogCaptureFixture):
    """It has nowhere else to go: the runner must keep the message and try again."""
    sinks = InMemory(errors=MemoryTable(refuse_all))
    with pytest.raises(RuntimeError, match="the error table refused a row: row_refused") as raised:
        batch(sinks)
    assert CANARY not in str(raised.value)
    assert CANARY not in caplog.text


def test_nothing_in_is_nothing_out():
    sinks = InMemory()
    assert batch(sinks, []) == {}
    assert sinks.outcomes() == []


def test_threshold_is_exclusive():
    sinks = InMemory()
    at = message(1, claim_amount=5_001, service_date="2026-08-01")  # 0.3 + 0.2
    batch(sinks, [at])
    [row] = sinks.claims.rows
    assert (row["fraud_risk_score"], row["high_risk_flag"]) == (0.5, False)

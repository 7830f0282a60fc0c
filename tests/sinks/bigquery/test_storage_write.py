"""The sink against a server that fails: each fault alone, and what must come of it."""

import logging
import pickle
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from google.rpc import code_pb2

from pipeline.claims.contract import Column
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.clients import write_credentials
from pipeline.sinks.bigquery.append.channel import endpoint_in_use, open_channel
from pipeline.sinks.bigquery.append.delivery import AppendFailed
from pipeline.sinks.bigquery.append.shared_streams import STREAMS
from pipeline.sinks.bigquery.storage_write import AppendBatchesFn
from pipeline.transforms.batch import Batch
from pipeline.transforms.metrics import SINK_METRICS
from tests.support.bigquery.appending import (
    COLUMNS,
    LIMITS,
    STREAM,
    TABLE,
    bundles,
    element,
    sink,
    wait_until,
)
from tests.support.bigquery.cutting_proxy import CuttingProxy
from tests.support.bigquery.fault_server import MAX_REQUEST_BYTES, SECRET, Fault, FaultServer

ELEMENTS = [element(number) for number in range(300)]
IDS = [row["claim_id"] for _, row in ELEMENTS]
TRANSIENT = {
    "UNAVAILABLE",
    "RESOURCE_EXHAUSTED",
    "ABORTED",
    "INTERNAL",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "UNKNOWN",
}
OF_THE_TABLE = {"NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED", "FAILED_PRECONDITION"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.create(STREAM, COLUMNS)
        yield running


def stored(server: FaultServer) -> list[str]:
    return [row["claim_id"] for row in server.tables[STREAM].rows]


def faults(*several: Fault | None) -> Iterator[Fault | None]:
    return iter(several)


def test_every_row_is_stored_once_and_in_full(server: FaultServer) -> None:
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
    assert sorted(stored(server)) == sorted(IDS)
    assert server.tables[STREAM].rows[0] == {
        "claim_id": "claim-0",
        "claim_amount": "12.34",
        "service_date": 20455,
        "processing_timestamp": 1795435200000000,
        "codes": ["E11.9"],
    }


def test_requests_are_pipelined_on_one_call_and_only_the_first_bears_the_schema(
    server: FaultServer,
) -> None:
    with bundles(server.address) as worker:
        worker.run(ELEMENTS)
        worker.run(ELEMENTS)
    assert server.counts["calls"] == 1
    assert server.counts["requests"] > 6
    assert len(server.first_requests) == 1
    assert server.first_requests[0].trace_id.startswith("claims-pipeline")
    assert server.headers[0]["x-goog-request-params"] == f"write_stream={STREAM}"
    assert server.headers[0]["user-agent"].startswith("claims-pipeline")


def test_no_request_is_larger_than_it_may_be(server: FaultServer) -> None:
    with bundles(server.address) as worker:
        worker.run(element(number, notes="n" * (number * 7 % 900)) for number in range(300))
    schema = server.first_requests[0].proto_rows.writer_schema.ByteSize()
    assert max(server.request_sizes) <= LIMITS.request_bytes + schema + 200
    assert max(server.request_sizes) > LIMITS.request_bytes // 2


def test_rows_are_bounded_too(server: FaultServer) -> None:
    with bundles(server.address, replace(LIMITS, request_rows=10)) as worker:
        worker.run(ELEMENTS)
    assert server.counts["requests"] == 30


def test_a_row_larger_than_a_request_is_rejected_and_the_largest_is_written(
    server: FaultServer,
) -> None:
    huge = element(1, notes="n" * MAX_REQUEST_BYTES)
    with bundles(server.address) as worker:
        fits = worker.fn._max_row_bytes - 100
        rejected = worker.run([element(0), element(2, notes="n" * fits), huge, element(3)])
    assert [(message, rejection.error_code) for message, rejection in rejected] == [
        (huge[0], "row_too_large")
    ]
    assert sorted(stored(server)) == ["claim-0", "claim-2", "claim-3"]
    assert max(server.request_sizes) <= MAX_REQUEST_BYTES


def test_a_row_that_cannot_be_encoded_is_rejected_alone(server: FaultServer) -> None:
    bad = element(1, service_date="2026-02-30")
    with bundles(server.address) as worker:
        ((message, rejection),) = worker.run([element(0), bad, element(2)])
    assert message is bad[0]
    assert rejection == Rejection(
        "write",
        "bad_date",
        "service_date: must be a YYYY-MM-DD date between the years 1 and 9999",
        rejection.violations,
        "claim-1",
    )
    assert stored(server) == ["claim-0", "claim-2"]


def test_rows_refused_within_a_batch_come_out_as_its_elements(server: FaultServer) -> None:
    fn = AppendBatchesFn(TABLE, COLUMNS, server.address, LIMITS)
    fn.setup()
    try:
        fn.start_bundle()
        bad = element(1, claim_amount="much")
        [rejected] = fn.process_batch(Batch.of([element(0), bad, element(2)]))
        assert [(message, rejection.error_code) for message, rejection in rejected] == [
            (bad[0], "bad_number")
        ]
        assert list(fn.finish_bundle()) == []
    finally:
        fn.teardown()
    assert stored(server) == ["claim-0", "claim-2"]


@pytest.mark.parametrize("ends_call", [False, True])
@pytest.mark.parametrize("name", sorted(TRANSIENT | OF_THE_TABLE))
def test_an_error_that_may_pass_is_tried_again(
    server: FaultServer, name: str, ends_call: bool
) -> None:
    fault = Fault(code_pb2.Code.Value(name), ends_call)
    server.script = faults(None, fault, fault, None, fault)
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
    assert sorted(stored(server)) == sorted(IDS)


def test_when_the_budget_is_spent_the_bundle_fails_and_the_next_one_begins_anew(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = repeat(Fault(code_pb2.PERMISSION_DENIED))
    with bundles(server.address, replace(LIMITS, budget_seconds=0.2)) as worker:
        with pytest.raises(AppendFailed, match="PERMISSION_DENIED") as failed:
            worker.run(ELEMENTS)
        assert SECRET not in str(failed.value)
        server.script = faults()
        assert worker.run(ELEMENTS) == []
    assert set(stored(server)) == set(IDS)
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert "project-one.claims.claims" in warnings[0]
    assert "PERMISSION_DENIED" in warnings[0]
    assert SECRET not in caplog.text


def test_a_dropped_table_stalls_the_bundle_until_it_is_back(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    table = server.tables[STREAM]
    with bundles(server.address) as worker:
        worker.run(ELEMENTS[:100])
        del server.tables[STREAM]
        threading.Timer(0.5, server.tables.__setitem__, (STREAM, table)).start()
        assert worker.run(ELEMENTS[100:]) == []
    assert sorted(stored(server)) == sorted(IDS)
    assert [r.getMessage() for r in caplog.records if "TABLE_NOT_FOUND" in r.getMessage()]


def test_row_errors_reject_the_named_rows_and_send_the_others_again(server: FaultServer) -> None:
    server.is_bad = lambda row: row["claim_id"].endswith("7")
    with bundles(server.address) as worker:
        rejected = worker.run(ELEMENTS)
    bad = [claim_id for claim_id in IDS if claim_id.endswith("7")]
    assert sorted(message.data.decode() for message, _ in rejected) == sorted(bad)
    assert sorted(stored(server)) == sorted(set(IDS) - set(bad))
    expected = Rejection("write", "row_fields_error", "notes: BigQuery refused the row")
    for message, rejection in rejected:
        assert rejection == expected._replace(claim_id=message.data.decode())


def test_invalid_argument_without_row_errors_is_bisected(server: FaultServer) -> None:
    server.is_poison = lambda row: row["claim_id"] in {"claim-5", "claim-6", "claim-250"}
    with bundles(server.address) as worker:
        rejected = worker.run(ELEMENTS)
    assert {m.data.decode(): r.error_code for m, r in rejected} == {
        "claim-5": "row_refused",
        "claim-6": "row_refused",
        "claim-250": "row_refused",
    }
    assert len(stored(server)) == len(IDS) - 3


@pytest.mark.parametrize("request_rows", [1, 40])
def test_invalid_argument_that_ends_the_call_never_rejects_a_neighbour(
    server: FaultServer, request_rows: int
) -> None:
    """All that is in flight ends with the call, and nothing says which request was to blame."""
    poison = {"claim-9", "claim-10", "claim-133"}
    server.is_poison = lambda row: row["claim_id"] in poison
    server.poison_ends_call = True
    server.latency_seconds = 0.02
    with bundles(server.address, replace(LIMITS, request_rows=request_rows)) as worker:
        rejected = worker.run(ELEMENTS)
    assert {m.data.decode(): r.error_code for m, r in rejected} == dict.fromkeys(
        poison, "row_refused"
    )
    assert sorted(stored(server)) == sorted(set(IDS) - poison)


def test_a_request_refused_for_good_by_the_end_of_its_call_is_rejected(
    server: FaultServer,
) -> None:
    server.script = repeat(Fault(code_pb2.INVALID_ARGUMENT, ends_call=True))
    with bundles(server.address) as worker:
        rejected = worker.run(ELEMENTS[:7])
    assert [rejection.error_code for _, rejection in rejected] == ["row_refused"] * 7
    assert stored(server) == []


@pytest.mark.parametrize("ends_call", [False, True])
def test_after_a_column_was_dropped_rows_without_it_go_on(
    server: FaultServer, ends_call: bool
) -> None:
    server.mismatch_ends_call = ends_call
    elements = [element(n, notes="n" if n % 10 == 3 else None) for n in range(300)]
    with bundles(server.address, replace(LIMITS, budget_seconds=1.0)) as worker:
        worker.run(elements[:50:10])
        server.tables[STREAM].columns = tuple(c for c in COLUMNS if c.name != "notes")
        rejected = worker.run(elements)
        assert {(r.error_code, r.error) for _, r in rejected} == {
            ("schema_mismatch", "notes: missing from the table")
        }
        assert len(rejected) == 30

        server.tables[STREAM].columns = COLUMNS
        # Its answer tells of the column, unless a call that was opened meanwhile has told already.
        refused = worker.run(elements[3:4])
        worker.run(elements[:1])
        assert worker.run(elements[3:4]) == []
    assert stored(server).count("claim-3") == 2 - len(refused)


def test_a_table_that_lags_behind_its_schema_is_waited_for(server: FaultServer) -> None:
    extra_fields = 7
    fault = Fault(code_pb2.INVALID_ARGUMENT, storage_code=extra_fields)
    server.script = repeat(fault, 5)
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS[:50]) == []
    assert sorted(stored(server)) == sorted(IDS[:50])


def test_a_schema_that_never_fits_rejects_its_rows(server: FaultServer) -> None:
    server.script = repeat(Fault(code_pb2.INVALID_ARGUMENT, storage_code=7))
    with bundles(server.address, replace(LIMITS, budget_seconds=0.1)) as worker:
        rejected = worker.run(ELEMENTS[:50])
    assert [rejection.error_code for _, rejection in rejected] == ["schema_mismatch"] * 50


def test_a_lost_answer_duplicates_only_its_own_rows(server: FaultServer) -> None:
    server.script = faults(Fault(code_pb2.UNAVAILABLE, is_kept=True))
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
    twice = {claim_id for claim_id, count in Counter(stored(server)).items() if count > 1}
    assert set(stored(server)) == set(IDS)
    assert twice == {row["claim_id"] for row in server.lost}


@pytest.mark.parametrize("ends_call", [False, True])
def test_an_idle_close_is_not_noticed(server: FaultServer, ends_call: bool) -> None:
    close = Fault(code_pb2.ABORTED, True) if ends_call else Fault(closes=True)
    server.script = faults(close)
    with bundles(server.address) as worker:
        worker.run(ELEMENTS[:5])
        wait_until(lambda: not server.open_calls or ends_call)
        worker.run(ELEMENTS[5:10])
    assert sorted(stored(server)) == sorted(IDS[:10])
    assert server.counts["calls"] == 2


def test_a_connection_cut_in_the_middle_of_a_request_is_opened_again(server: FaultServer) -> None:
    with CuttingProxy(server.address) as proxy, bundles(proxy.address) as worker:
        for after in (3_000, 9_000, 500):
            proxy.cut_after(after)
            assert worker.run(ELEMENTS) == []
        assert proxy.cuts == 3
    assert set(stored(server)) == set(IDS)


def test_a_server_that_is_not_there_fails_the_bundle(server: FaultServer) -> None:
    with CuttingProxy(server.address) as proxy:
        address = proxy.address
    with bundles(address, replace(LIMITS, budget_seconds=0.3)) as worker:
        with pytest.raises(AppendFailed, match="UNAVAILABLE"):
            worker.run(ELEMENTS)


def test_a_silent_server_counts_as_dead(server: FaultServer) -> None:
    server.latency_seconds = 2
    limits = replace(LIMITS, answer_timeout_seconds=0.3)
    threading.Timer(1.0, setattr, (server, "latency_seconds", 0)).start()
    with bundles(server.address, limits) as worker:
        assert worker.run(ELEMENTS) == []
    assert set(stored(server)) == set(IDS)


def test_bytes_in_flight_are_bounded_and_so_is_throughput(server: FaultServer) -> None:
    server.latency_seconds = 0.4
    limits = replace(LIMITS, in_flight_bytes=12_000)
    with bundles(server.address, limits) as worker:
        assert worker.run(element(n, notes="n" * 400) for n in range(200)) == []
    assert 4_000 < server.max_unanswered_bytes <= 12_000 + 1_000
    assert len(stored(server)) == 200


def test_threads_share_one_connection(server: FaultServer) -> None:
    def work(start: int) -> None:
        with bundles(server.address) as worker:
            barrier.wait()
            for number in range(5):
                worker.run(element(start + number * 20 + n) for n in range(20))

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=work, args=(number * 100,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored(server)) == sorted(f"claim-{n}" for n in range(800))
    assert server.counts["calls"] <= 8  # the last to leave closes it; late comers open another


def test_nothing_leaks_over_many_bundles(server: FaultServer) -> None:
    with bundles(server.address) as worker:
        worker.run(ELEMENTS[:1])
        before = threading.active_count()
        server.keeps_rows = False
        for number in range(10_000):
            worker.run(ELEMENTS[:1])
            if number % 1_000 == 0:
                server.script = faults(Fault(code_pb2.UNAVAILABLE, True))
        wait_until(lambda: threading.active_count() <= before)
        assert server.open_calls == 1
    wait_until(lambda: server.open_calls == 0)
    assert not STREAMS._shared
    assert not [t for t in threading.enumerate() if t.name == "append-answers"]


def test_set_up_and_teardown_leak_nothing(server: FaultServer) -> None:
    for _ in range(50):
        with bundles(server.address) as worker:
            worker.run(ELEMENTS[:1])
    wait_until(lambda: server.open_calls == 0)
    assert not STREAMS._shared
    assert not [t for t in threading.enumerate() if t.name == "append-answers"]


def test_it_is_a_transform_that_rejects_with_message_timestamp_and_window(
    server: FaultServer,
) -> None:
    server.is_bad = lambda row: row["claim_id"] == "claim-1"
    expected = (b"claim-1", "row_fields_error", 1795431600)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rejected = (
            pipeline
            | beam.Create(ELEMENTS[:5])
            | "WriteClaims" >> sink(server.address)
            | beam.Map(
                lambda pair, at=beam.DoFn.TimestampParam: (
                    pair[0].data,
                    pair[1].error_code,
                    int(at.seconds()),
                )
            )
        )
        assert_that(rejected, equal_to([expected]))
    assert sorted(stored(server)) == ["claim-0", "claim-2", "claim-3", "claim-4"]


def test_rows_in_other_windows_keep_theirs(server: FaultServer) -> None:
    server.is_bad = lambda row: row["claim_id"] == "claim-1"

    def describe(pair: Any, window: Any = beam.DoFn.WindowParam) -> Any:
        return pair[0].data, pair[1].error_code, int(window.start), int(window.end)

    elements = [*ELEMENTS[:3], element(3, service_date="none")]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rejected = (
            pipeline
            | beam.Create(elements)
            | beam.Map(lambda pair: TimestampedValue(pair, 1_000))
            | beam.WindowInto(FixedWindows(60))
            | "WriteClaims" >> sink(server.address)
            | beam.Map(describe)
        )
        assert_that(
            rejected,
            equal_to(
                [(b"claim-1", "row_fields_error", 960, 1020), (b"claim-3", "bad_date", 960, 1020)]
            ),
        )


def test_metrics_count_rows_requests_and_retries_and_all_are_described(
    server: FaultServer,
) -> None:
    server.script = faults(Fault(code_pb2.UNAVAILABLE))
    server.is_bad = lambda row: row["claim_id"] == "claim-1"
    pipeline = beam.Pipeline(runner=FnApiRunner())
    pipeline | beam.Create(ELEMENTS) | "WriteClaims" >> sink(server.address)
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query()
    counters = {counter.key.metric.name: counter.result for counter in found["counters"]}
    distributions = {one.key.metric.name: one.result for one in found["distributions"]}
    assert counters.pop("bytes_written") > 299 * 30
    assert counters.pop("append_requests") >= 5
    assert counters == {
        "rows_written": 299,
        "append_retries_unavailable": 1,
        "rejected_write_row_fields_error": 1,
    }
    latency = distributions["end_to_end_latency_ms"]
    since = (datetime.now(UTC) - datetime.fromisoformat("2026-11-23T11:00:00Z")).total_seconds()
    assert latency.count < len(ELEMENTS)
    assert latency.max == pytest.approx(since * 1000, abs=60_000)
    assert distributions.keys() == {
        "append_latency_ms",
        "in_flight_bytes",
        "end_to_end_latency_ms",
    }
    described = {metric.name for metric in SINK_METRICS}
    assert {"bytes_written", "append_requests", "rows_written", *distributions} <= described
    assert "append_retries_{reason}" in described


class _InBatchesFn(beam.DoFn):
    @beam.DoFn.yields_batches
    def process(self, element: int) -> Iterator[Batch]:
        for start in range(0, element, 50):
            yield Batch.of(ELEMENTS[start : start + 50])

    def infer_output_type(self, input_type: Any) -> Any:
        return tuple[Message, dict[str, Any]]


def test_metrics_of_batches_are_of_the_step_that_writes_them(server: FaultServer) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    rows = pipeline | beam.Create([len(ELEMENTS)]) | "InBatches" >> beam.ParDo(_InBatchesFn())
    rows | "WriteClaims" >> sink(server.address)
    result = pipeline.run()
    result.wait_until_finish()
    steps: dict[str, Counter[str]] = {}
    for kind in ("counters", "distributions"):
        for found in result.metrics().query()[kind]:
            count = getattr(found.result, "count", found.result)
            steps.setdefault(found.key.metric.name, Counter())[found.key.step] += count
    assert steps["append_requests"].total() > 1
    assert steps["append_latency_ms"] == steps["in_flight_bytes"] == steps["append_requests"]
    assert {step for counts in steps.values() for step in counts} == {"WriteClaims/AppendRows"}


def test_construction_opens_nothing_and_pickles() -> None:
    with bundles("127.0.0.1:1") as worker:
        pass
    assert pickle.loads(pickle.dumps(sink("127.0.0.1:1"))) == sink("127.0.0.1:1")
    assert not [t for t in threading.enumerate() if t.name == "append-answers"]
    assert worker.fn._key is None


def test_the_emulator_of_the_environment_is_used_and_an_endpoint_wins(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", server.address)
    with bundles(None) as worker:  # type: ignore[arg-type]
        worker.run(ELEMENTS[:1])
    monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", "127.0.0.1:1")
    with bundles(server.address) as worker:
        worker.run(ELEMENTS[1:2])
    assert stored(server) == IDS[:2]


def test_a_column_missing_from_the_rows_is_null(server: FaultServer) -> None:
    server.tables[STREAM].columns = (*COLUMNS, Column("new", "STRING"))
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS[:3]) == []
    assert sorted(stored(server)) == IDS[:3]


def test_a_channel_to_the_service_itself_needs_an_account_and_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIGQUERY_STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(write_credentials(tmp_path)))
    channel = open_channel(endpoint_in_use(None))
    try:
        assert endpoint_in_use(None) == "https://bigquerystorage.googleapis.com"
    finally:
        channel.close()

"""Connections and answers that no sane service gives: nothing hangs, spins, or counts as stored."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, repeat
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2

from pipeline.sinks.bigquery.append.delivery import AppendFailed
from pipeline.sinks.bigquery.append.schema_fit import table_fields
from pipeline.sinks.bigquery.append.shared_streams import STREAMS
from pipeline.sinks.bigquery.append.stream import AppendStream
from pipeline.sinks.bigquery.storage_write import AppendBatchesFn
from tests.support.bigquery.appending import COLUMNS, LIMITS, STREAM, bundles, element, wait_until
from tests.support.bigquery.cutting_proxy import CuttingProxy
from tests.support.bigquery.fault_server import SECRET, Fault, FaultServer

ELEMENTS = [element(number) for number in range(300)]
IDS = [row["claim_id"] for _, row in ELEMENTS]
TIMEOUT_SECONDS = 2.0
PATIENT = replace(LIMITS, answer_timeout_seconds=TIMEOUT_SECONDS)
INVALID = code_pb2.INVALID_ARGUMENT


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.create(STREAM, COLUMNS)
        yield running


def stored(server: FaultServer) -> Counter[str]:
    return Counter(row["claim_id"] for row in server.tables[STREAM].rows)


def shared_stream() -> AppendStream:
    [shared] = STREAMS._shared.values()
    return shared.stream


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "append-answers"]


def test_a_connection_that_swallows_everything_is_replaced_within_the_answer_timeout(
    server: FaultServer,
) -> None:
    with CuttingProxy(server.address) as proxy, bundles(proxy.address, PATIENT) as worker:
        assert worker.run(ELEMENTS[:50]) == []
        proxy.swallow()
        began = time.monotonic()
        assert worker.run(ELEMENTS[50:]) == []
        assert time.monotonic() - began < TIMEOUT_SECONDS
        assert proxy.connections == 2
    assert stored(server) == Counter(IDS)
    wait_until(lambda: not readers())


def test_several_threads_leave_a_silent_connection_together(server: FaultServer) -> None:
    with CuttingProxy(server.address) as proxy, bundles(proxy.address, PATIENT) as worker:
        worker.run(ELEMENTS[:1])
        proxy.swallow()
        slowest: list[float] = []

        def work(share: list[Any]) -> None:
            with bundles(proxy.address, PATIENT) as other:
                began = time.monotonic()
                assert other.run(share) == []
                slowest.append(time.monotonic() - began)

        threads = [threading.Thread(target=work, args=(ELEMENTS[n::7],)) for n in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(slowest) == 7
    assert max(slowest) < 2 * TIMEOUT_SECONDS
    assert stored(server).keys() == set(IDS)


def test_a_call_that_is_silent_is_left_with_its_channel_though_its_connection_lives(
    server: FaultServer,
) -> None:
    server.script = iter([Fault(is_silent=True)])
    with CuttingProxy(server.address) as proxy, bundles(proxy.address, PATIENT) as worker:
        began = time.monotonic()
        assert worker.run(ELEMENTS) == []
        assert TIMEOUT_SECONDS <= time.monotonic() - began < 2 * TIMEOUT_SECONDS
        assert server.counts["calls"] == proxy.connections == 2
        wait_until(lambda: server.open_calls == 1)
    assert stored(server) == Counter(IDS)


def test_a_silent_call_is_noticed_while_another_makes_progress(server: FaultServer) -> None:
    """The other one takes what came after the silent one was retired."""
    server.script = iter([None, Fault(is_silent=True)])
    with bundles(server.address, PATIENT) as worker, bundles(server.address, PATIENT) as busy:
        worker.run(ELEMENTS[:1])
        ended = threading.Event()

        def keep_busy() -> None:
            number = 1_000
            while not ended.is_set():
                busy.run([element(number)])
                number += 1
                time.sleep(0.02)

        silent = threading.Thread(target=worker.run, args=(ELEMENTS[1:2],))
        silent.start()
        wait_until(lambda: server.counts["requests"] == 2)
        stream = shared_stream()
        with stream._changed:
            stream._retire_call()
        other = threading.Thread(target=keep_busy)
        other.start()
        began = time.monotonic()
        silent.join(3 * TIMEOUT_SECONDS)
        assert not silent.is_alive()
        assert time.monotonic() - began < 1.5 * TIMEOUT_SECONDS
        ended.set()
        other.join()
    assert stored(server)["claim-1"] == 1


def test_calls_that_the_service_never_ends_do_not_pile_up(server: FaultServer) -> None:
    server.ends_calls = False
    lacks = Fault(INVALID, storage_code=7)
    server.script = cycle([None, lacks])
    limits = replace(LIMITS, answer_timeout_seconds=0.3)
    with bundles(server.address, limits) as worker:
        for number in range(20):
            assert worker.run([element(number)]) == []
            time.sleep(0.05)
        assert server.counts["calls"] >= 20
        assert len(readers()) < 12
    wait_until(lambda: not readers())


@pytest.mark.parametrize(
    "fault",
    [
        Fault(is_garbled=True),
        Fault(INVALID, is_garbled=True),
        Fault(INVALID, ends_call=True, is_garbled=True),
        Fault(code_pb2.UNAVAILABLE, ends_call=True, is_garbled=True),
    ],
)
def test_an_answer_that_cannot_be_read_ends_its_call_and_is_counted(
    server: FaultServer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = iter([None, fault, None, fault])
    with bundles(server.address) as worker:
        worker.fn.start_bundle()
        tally = worker.fn._tally
        flushed: Counter[str] = Counter()
        tally.flush = lambda: flushed.update(tally)  # type: ignore[method-assign]
        assert worker.run(ELEMENTS) == []
        assert server.faults[fault] == 2
        assert flushed["append_retries_unreadable_answer"] >= 2
        assert len(readers()) == 1
    assert stored(server).keys() == set(IDS)
    assert "UNREADABLE_ANSWER" in caplog.text
    assert SECRET not in caplog.text


def test_whatever_reading_an_answer_raises_the_append_gets_its_answer(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipeline.sinks.bigquery.append.stream.answer_of",
        lambda *_: (_ for _ in ()).throw(MemoryError),
    )
    limits = replace(PATIENT, budget_seconds=0.2)
    with bundles(server.address, limits) as worker:
        with pytest.raises(AppendFailed, match="UNREADABLE_ANSWER"):
            worker.run(ELEMENTS[:1])
        assert shared_stream().in_flight_bytes == 0


def test_an_answer_that_tells_of_a_schema_that_cannot_be_used_is_an_answer_all_the_same(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = server.tables[STREAM]
    table.columns = COLUMNS[:-1]
    with bundles(server.address, replace(PATIENT, budget_seconds=0.2)) as worker:
        worker.run(ELEMENTS[:1])
        assert shared_stream().fit.left_out
        monkeypatch.setattr(
            "pipeline.sinks.bigquery.append.stream.SchemaFit",
            lambda *_: (_ for _ in ()).throw(MemoryError),
        )
        table.columns = COLUMNS
        thread = threading.Thread(target=worker.run, args=(ELEMENTS[1:2],), daemon=True)
        thread.start()
        thread.join(2 * TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert stored(server) == Counter(IDS[:2])


@pytest.mark.parametrize("held", ["messages", "rows"])
def test_threads_whose_appends_fail_hold_together_what_one_may(
    server: FaultServer, held: str
) -> None:
    """What waits to be sent again is in memory, too, though it is not in flight."""
    server.script = repeat(Fault(code_pb2.RESOURCE_EXHAUSTED))
    server.latency_seconds = 0.05
    size = 3_000
    limits = replace(PATIENT, held_bytes=size, in_flight_held_bytes=10 * size)
    message, row = element(0, notes="n" * size * (held == "rows"))
    message = message._replace(data=bytes(size) if held == "messages" else b"")
    is_over = threading.Event()
    sleeping = threading.Semaphore(0)

    class Over(Exception):
        pass

    def sleep(_seconds: float) -> None:
        sleeping.release()
        is_over.wait()
        raise Over

    def work() -> None:
        with bundles(server.address, limits) as worker, pytest.raises(Over):
            worker.fn.start_bundle()
            worker.fn._delivery._sleep = sleep
            for _ in range(100):
                worker.fn.process((message, row))

    threads = [threading.Thread(target=work) for _ in range(5)]
    requests = []
    try:
        for thread in threads:
            thread.start()
            assert sleeping.acquire(timeout=10)
            requests.append(server.counts["requests"])
        stream = shared_stream()
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert requests[0] > 5
    assert requests[-1] - requests[0] <= 2 * len(threads[1:])
    assert stream._held_bytes == stream.in_flight_bytes == 0


def test_an_append_that_could_not_be_sent_leaves_nothing_behind(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bundles(server.address) as worker:
        with monkeypatch.context() as patch:
            patch.setattr(
                "pipeline.sinks.bigquery.append.call.user_agent",
                lambda: (_ for _ in ()).throw(OSError),
            )
            with pytest.raises(OSError):
                worker.run(ELEMENTS[:1])
        assert worker.run(ELEMENTS) == []
    assert stored(server) == Counter(IDS)


@pytest.mark.parametrize("code", [code_pb2.NOT_FOUND, code_pb2.UNAVAILABLE, code_pb2.INTERNAL])
def test_a_call_that_keeps_failing_is_left_for_another_connection(
    server: FaultServer, code: int
) -> None:
    """As one that was opened before its table was deleted, and created again."""
    server.script = iter([None, Fault(code, stays=True)])
    with CuttingProxy(server.address) as proxy, bundles(proxy.address, PATIENT) as worker:
        assert worker.run(ELEMENTS) == []
        assert proxy.connections == 2
        wait_until(lambda: server.open_calls == 1)
    assert stored(server) == Counter(IDS)


def test_a_look_up_on_a_connection_that_another_thread_has_left_is_tried_again(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = "pipeline.sinks.bigquery.append.stream.table_fields"

    def too_late(channel: grpc.Channel, stream: str, patience: float) -> Any:
        monkeypatch.setattr(look, table_fields)
        with shared_stream()._changed:
            shared_stream()._leave_channel(channel)
        return table_fields(channel, stream, patience)

    monkeypatch.setattr(look, too_late)
    server.script = iter([Fault(INVALID, ends_call=True, storage_code=7)])
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
    assert stored(server) == Counter(IDS)


@pytest.mark.parametrize("text", ["column: \u017fervice_date", "field cla\u0130m_id"])
def test_a_text_like_a_column_in_other_letters_than_ours_names_none(
    server: FaultServer, text: str
) -> None:
    """A row error quotes the row: what a claim holds must not make the answer unreadable."""
    server.is_bad = lambda row: row["claim_id"] == "claim-7"
    server.refusal = text
    with bundles(server.address) as worker:
        [(message, rejection)] = worker.run(ELEMENTS)
    assert (message.data, rejection.error) == (b"claim-7", "BigQuery refused the row")
    assert stored(server) == Counter(IDS) - Counter(["claim-7"])


@pytest.mark.parametrize("refusal", ["row error", "error", "end of the call"])
def test_an_error_whose_text_is_cut_within_a_character_is_read(
    server: FaultServer, refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As one of limited length that quotes a row: unread, it would hold all rows up forever."""
    server.cuts_texts = True

    def is_seventh(row: dict[str, Any]) -> bool:
        return bool(row["claim_id"] == "claim-7")

    if refusal == "row error":
        server.is_bad = is_seventh
    else:
        server.is_poison, server.poison_ends_call = is_seventh, refusal != "error"
    with bundles(server.address, replace(LIMITS, budget_seconds=1)) as worker:
        [(message, rejection)] = worker.run(ELEMENTS[:20])
    assert message.data == b"claim-7"
    column = "notes: " if refusal == "row error" else ""
    assert rejection.error == f"{column}BigQuery refused the row"
    assert stored(server) == Counter(IDS[:20]) - Counter(["claim-7"])
    assert "UNREADABLE" not in caplog.text


def test_a_connection_whose_handshake_is_slow_is_made(server: FaultServer) -> None:
    """A try that ends too early is not made up for by the next: it begins from the start."""
    limits = replace(LIMITS, budget_seconds=2)
    with CuttingProxy(server.address) as proxy, bundles(proxy.address, limits) as worker:
        proxy.delay_seconds = 0.4
        assert worker.run(ELEMENTS[:1]) == []
        assert proxy.connections == 1
        proxy.delay_seconds = 0.0
    assert stored(server) == Counter(IDS[:1])


def test_an_error_that_quotes_a_long_row_is_read_whole(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of a call it is metadata, of which gRPC takes 8 kB by itself."""
    monkeypatch.setattr("tests.support.bigquery.fault_server.SECRET", SECRET * 2_000)
    server.is_poison = lambda row: row["claim_id"] == "claim-7"
    server.poison_ends_call = True
    with bundles(server.address, replace(LIMITS, budget_seconds=1)) as worker:
        [(message, rejection)] = worker.run(ELEMENTS[:20])
    assert (message.data, rejection.error_code) == (b"claim-7", "row_refused")
    assert stored(server) == Counter(IDS[:20]) - Counter(["claim-7"])


def test_a_call_that_ends_with_the_error_it_has_answered_refuses_no_other_row(
    server: FaultServer,
) -> None:
    """Rows of two bundles are sent alone: the end that one has caused is not about the other."""
    ends, repeats = Fault(INVALID, ends_call=True), Fault(INVALID, repeats=True)
    server.script = iter([ends, ends, repeats])
    rejected: list[Any] = []
    with bundles(server.address) as first, bundles(server.address) as second:
        for worker, each in zip((first, second), ELEMENTS, strict=False):
            worker.fn.start_bundle()
            worker.fn.process(each)
            worker.fn._take_kept()
            worker.fn._send()
            wait_until(lambda: not shared_stream()._calls)

        def finish(fn: AppendBatchesFn) -> None:
            rejected.extend(fn.finish_bundle())

        threads = [threading.Thread(target=finish, args=(each.fn,)) for each in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.faults[repeats] == 1
    assert len(rejected) == 1


def test_many_rows_whose_refusals_end_calls_hold_nothing_up(server: FaultServer) -> None:
    """Each end is the answer to one row only; whatever was sent after it has none."""
    server.is_poison = lambda row: int(row["claim_id"].removeprefix("claim-")) % 4 == 0
    server.poison_ends_call = True
    waits: list[float] = []
    with bundles(server.address) as worker:
        worker.fn.start_bundle()
        worker.fn._delivery._sleep = waits.append
        rejected = [output for each in ELEMENTS for output in worker.fn.process(each) or ()]
        rejected += worker.fn.finish_bundle()
    assert len(rejected) == len(ELEMENTS) / 4
    assert len(waits) < 20
    assert stored(server) == Counter(IDS) - Counter(IDS[::4])


PERSISTENT = {
    "closes without an answer": Fault(drops=True),
    "says nothing": Fault(is_empty=True),
    "cannot be read": Fault(is_garbled=True),
    "ends without a reason": Fault(code_pb2.UNKNOWN, ends_call=True),
    "an error without a code": Fault(code_pb2.UNKNOWN),
    "lacks columns": Fault(INVALID, storage_code=7),
}


@pytest.mark.parametrize("name", PERSISTENT)
def test_every_way_to_a_retry_counts_a_try_and_waits(
    server: FaultServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = repeat(PERSISTENT[name])
    limits = replace(LIMITS, first_backoff_seconds=0.25, max_backoff_seconds=30, budget_seconds=60)
    slept: list[float] = []

    class Enough(Exception):
        pass

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 6:
            raise Enough

    with bundles(server.address, limits) as worker:
        worker.fn.start_bundle()
        worker.fn._delivery._sleep = sleep
        worker.fn.process(ELEMENTS[0])
        with pytest.raises(Enough):
            worker.fn.finish_bundle()
    assert server.counts["requests"] == 6
    assert [bound for n, bound in enumerate(slept) if bound > 0.25 * 2**n] == []
    assert "are being retried" in caplog.text
    assert not server.tables[STREAM].rows


def test_an_answer_counts_only_if_it_says_that_rows_were_stored(server: FaultServer) -> None:
    server.script = iter([Fault(is_empty=True), None, Fault(is_empty=True)])
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
    assert stored(server).keys() == set(IDS)


def test_more_answers_than_requests_end_the_call_when_it_is_done(server: FaultServer) -> None:
    server.script = iter([None, Fault(is_doubled=True)])
    server.latency_seconds = 0.05
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
        wait_until(lambda: not server.open_calls)
        assert worker.run(ELEMENTS[:1]) == []
        assert server.counts["calls"] == 2
    assert stored(server).keys() == set(IDS)


def test_a_call_that_is_closed_while_answers_are_shifted_is_read_to_its_end(
    server: FaultServer,
) -> None:
    server.script = iter([Fault(is_doubled=True)])
    server.latency_seconds = 0.2
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS[:130]) == []
    assert stored(server).keys() == set(IDS[:130])


def test_an_answer_to_a_request_that_was_not_sent_is_no_answer(server: FaultServer) -> None:
    with bundles(server.address) as worker:
        worker.run(ELEMENTS[:1])
        [call] = shared_stream()._calls
        call.answers += 1  # as if one had come too many, unnoticed
        assert worker.run(ELEMENTS[1:]) == []
    assert stored(server).keys() == set(IDS)
    assert server.counts["calls"] == 2

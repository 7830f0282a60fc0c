"""The table's schema as the real service has it: what is added is known minutes later."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

import grpc
import pytest
from google.rpc import code_pb2

from tests.support.bigquery.appending import COLUMNS, LIMITS, STREAM, bundles, element, wait_until
from tests.support.bigquery.fault_server import SECRET, Fault, FaultServer

WITHOUT_NOTES = tuple(column for column in COLUMNS if column.name != "notes")
ELEMENTS = [element(n, notes="n" if n % 10 == 3 else None) for n in range(100)]
IDS = [row["claim_id"] for _, row in ELEMENTS]
WITH_NOTES = [row["claim_id"] for _, row in ELEMENTS if row["notes"]]
BRIEF = replace(LIMITS, budget_seconds=0.3)
TEXTS = (
    "Input schema has more fields than BigQuery schema, extra fields: 'notes' Entity: projects/p",
    f"Errors found: extra proto fields {SECRET}",
    "Schema mismatch due to extra fields in user schema",
)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.create(STREAM, COLUMNS)
        yield running


def stored(server: FaultServer) -> Counter[str]:
    return Counter(row["claim_id"] for row in server.tables[STREAM].rows)


@pytest.mark.parametrize("ends_call", [False, True])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_about_extra_fields_means_that_the_schema_lags(
    server: FaultServer, text: str, ends_call: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The look-up shows the new column already; appends cannot have it yet."""
    table = server.tables[STREAM]
    table.columns, table.shown = WITHOUT_NOTES, COLUMNS
    server.mismatch_text, server.mismatch_ends_call = text, ends_call
    threading.Timer(0.5, setattr, (table, "columns", COLUMNS)).start()
    with bundles(server.address) as worker:
        assert worker.run(ELEMENTS) == []
    assert stored(server) == Counter(IDS)
    assert "SCHEMA_LAGS" in caplog.text
    assert text not in caplog.text
    assert SECRET not in caplog.text


def test_a_row_that_makes_the_service_write_such_a_text_is_found(server: FaultServer) -> None:
    lagging = Fault(code_pb2.INVALID_ARGUMENT, text=TEXTS[0])
    with bundles(server.address, BRIEF) as worker:
        server.script = repeat(lagging)
        rejected = worker.run(ELEMENTS[:8])
    assert Counter(rejection.error_code for _, rejection in rejected) == {"schema_mismatch": 8}
    assert not [rejection for _, rejection in rejected if TEXTS[0] in rejection.error]


def test_rows_with_values_in_a_lacking_column_wait_and_the_others_do_not(
    server: FaultServer,
) -> None:
    """As after a launch that has added the column: metadata is stale too, and no answer tells."""
    server.tells_of_updates = False
    table = server.tables[STREAM]
    table.columns = WITHOUT_NOTES
    with bundles(server.address) as worker:
        done: list[object] = []
        thread = threading.Thread(target=lambda: done.append(worker.run(ELEMENTS)))
        thread.start()
        wait_until(lambda: len(stored(server)) == len(IDS) - len(WITH_NOTES))
        assert not done
        table.columns = COLUMNS
        thread.join()
    assert done == [[]]
    assert stored(server) == Counter(IDS)


def test_rows_are_refused_when_a_column_has_been_lacking_for_the_budget(
    server: FaultServer,
) -> None:
    server.tables[STREAM].columns = WITHOUT_NOTES
    with bundles(server.address, BRIEF) as worker:
        rejected = worker.run(ELEMENTS)
        assert {(each.error_code, each.error) for _, each in rejected} == {
            ("schema_mismatch", "notes: missing from the table")
        }
        assert [message.data.decode() for message, _ in rejected] == WITH_NOTES
        before = server.counts["requests"]
        assert len(worker.run(ELEMENTS)) == len(WITH_NOTES)  # at once: it is known by now
        assert server.counts["requests"] - before <= 5


@pytest.mark.parametrize("new_call", [False, True])
def test_a_column_that_was_left_out_is_looked_for_again_though_no_answer_tells_of_it(
    server: FaultServer, new_call: bool
) -> None:
    server.tells_of_updates = False
    table = server.tables[STREAM]
    table.columns = WITHOUT_NOTES
    limits = replace(BRIEF, look_again_seconds=1_000 if new_call else 0.05)
    with bundles(server.address, limits) as worker:
        assert len(worker.run(ELEMENTS)) == len(WITH_NOTES)
        table.columns = COLUMNS
        if new_call:
            server.script = iter([Fault(closes=True)])
        worker.run(ELEMENTS[:1])
        if new_call:
            wait_until(lambda: not server.open_calls)
        threading.Event().wait(0.2)  # the sink learns a moment later that its call has ended
        assert worker.run(ELEMENTS[3:4]) == []
    assert stored(server)["claim-3"] == 1


def test_while_columns_are_left_out_a_call_that_goes_on_is_not_looked_up_for(
    server: FaultServer,
) -> None:
    server.tells_of_updates = False
    server.tables[STREAM].columns = WITHOUT_NOTES
    with bundles(server.address, BRIEF) as worker:
        worker.run(ELEMENTS)
        before = server.counts["look_ups"]
        for _ in range(20):
            worker.run(ELEMENTS[:3])
        assert server.counts["look_ups"] - before <= 1


def test_a_look_up_that_is_not_answered_is_tried_again(server: FaultServer) -> None:
    table = server.tables.pop(STREAM)
    table.columns = WITHOUT_NOTES
    server.tables[STREAM] = table
    with bundles(server.address) as worker:
        worker.run(ELEMENTS[:1])
        lost = server.tables.pop(STREAM)  # NOT_FOUND, as of a table made moments ago
        threading.Timer(0.3, server.tables.__setitem__, (STREAM, lost)).start()
        threading.Timer(0.6, setattr, (table, "columns", COLUMNS)).start()
        assert worker.run(ELEMENTS[1:]) == []
    assert stored(server) == Counter(IDS)


def test_a_column_that_lags_after_an_outage_is_waited_for_as_long_as_any(
    server: FaultServer,
) -> None:
    """As in a table that was missing for minutes: the time until then is not the column's."""
    began = time.monotonic()

    def script() -> Iterator[Fault | None]:
        while (passed := time.monotonic() - began) < 1.4:
            lacks = Fault(code_pb2.INVALID_ARGUMENT, storage_code=7)
            yield Fault(code_pb2.NOT_FOUND) if passed < 0.8 else lacks

    server.script = script()
    with bundles(server.address, replace(LIMITS, budget_seconds=1)) as worker:
        assert worker.run(ELEMENTS) == []
    assert stored(server) == Counter(IDS)


def test_a_call_that_refuses_a_schema_is_left_though_the_table_cannot_be_looked_at(
    server: FaultServer,
) -> None:
    """A call may know the table as it was when it was opened, and another as it is."""
    server.look_up_error = grpc.StatusCode.PERMISSION_DENIED
    server.script = iter([None, Fault(code_pb2.INVALID_ARGUMENT, storage_code=7, stays=True)])
    with bundles(server.address, replace(LIMITS, budget_seconds=2)) as worker:
        assert worker.run(ELEMENTS) == []
    assert stored(server) == Counter(IDS)


def test_requests_that_are_refused_together_are_looked_up_for_once(server: FaultServer) -> None:
    """Each look-up may take half the answer timeout: one after the other would hold a bundle up."""
    server.latency_seconds = 0.2
    server.script = repeat(Fault(code_pb2.INVALID_ARGUMENT, storage_code=7), 20)
    with bundles(server.address, replace(LIMITS, request_rows=5)) as worker:
        assert worker.run(ELEMENTS) == []
    assert server.counts["look_ups"] <= 3  # one, if all were sent before the first was refused
    assert stored(server) == Counter(IDS)

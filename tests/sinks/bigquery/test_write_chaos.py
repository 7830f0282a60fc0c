"""The sink under a random script of all faults: every row has exactly one outcome.

A small form runs with the other tests. The long one, 100,000 rows for each of 20 seeds:
`CHAOS_ROWS=100000 CHAOS_SEEDS=20 pytest tests/sinks/bigquery/test_write_chaos.py --timeout=0 -s`
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest
from google.rpc import code_pb2

from tests.support.bigquery.appending import COLUMNS, LIMITS, STREAM, bundles, element, wait_until
from tests.support.bigquery.cutting_proxy import CuttingProxy
from tests.support.bigquery.fault_server import Fault, FaultServer

ROWS = int(os.environ.get("CHAOS_ROWS", "5000"))
SEEDS = int(os.environ.get("CHAOS_SEEDS", "3"))
THREADS = 3
FAULT_SHARE = 0.3
SILENT_SHARE = 0.002
EXTRA_FIELDS = 7
TIMEOUT_SECONDS = 10.0 if ROWS <= 5_000 else 20.0
"""Of an answer. No bundle may take twice as long, whatever it meets."""
PATIENT = replace(
    LIMITS,
    request_bytes=8_000,
    in_flight_bytes=40_000,
    budget_seconds=120,
    answer_timeout_seconds=TIMEOUT_SECONDS,
)
LAGGING_TEXT = "Input schema has more fields than BigQuery schema, extra fields: 'notes'"

_CODES = (
    code_pb2.UNAVAILABLE,
    code_pb2.RESOURCE_EXHAUSTED,
    code_pb2.ABORTED,
    code_pb2.INTERNAL,
    code_pb2.CANCELLED,
    code_pb2.DEADLINE_EXCEEDED,
    code_pb2.NOT_FOUND,
    code_pb2.PERMISSION_DENIED,
    code_pb2.UNAUTHENTICATED,
)
FAULTS = (
    *(Fault(code, ends_call) for code in _CODES for ends_call in (False, True)),
    Fault(code_pb2.INVALID_ARGUMENT, storage_code=EXTRA_FIELDS),
    Fault(code_pb2.INVALID_ARGUMENT, True, EXTRA_FIELDS),
    *(Fault(code_pb2.UNAVAILABLE, is_kept=True),) * 3,
    *(Fault(is_kept=True),) * 2,
    *(Fault(closes=True),) * 3,
    *(Fault(cuts=True), Fault(code_pb2.UNAVAILABLE, is_kept=True, cuts=True)) * 2,
    Fault(drops=True),
    Fault(is_empty=True),
    Fault(is_garbled=True),
    *(
        Fault(code, ends_call, is_garbled=True)
        for code in (code_pb2.INVALID_ARGUMENT, code_pb2.UNAVAILABLE)
        for ends_call in (False, True)
    ),
    *(Fault(code_pb2.INVALID_ARGUMENT, ends, text=LAGGING_TEXT) for ends in (False, True)),
    *(Fault(code, repeats=True) for code in (code_pb2.UNAVAILABLE, code_pb2.INTERNAL)),
    *(Fault(code, stays=True) for code in (code_pb2.UNAVAILABLE, code_pb2.NOT_FOUND)),
)
SILENT_FAULTS = (Fault(is_silent=True), Fault(swallows=True))
"""These cost a bundle the time of an answer, so that no more than one is drawn in that time."""


def elements_of(seed: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Rows of all sizes; some cannot be encoded, some the table refuses, one way or the other."""
    chance = random.Random(seed)
    for number in range(ROWS):
        notes = "n" * chance.choice((0, 5, 50, 300))
        kind = chance.random()
        if kind < 0.003:
            yield element(number, service_date="2026-02-31")
        elif kind < 0.006:
            yield element(number, notes=f"bad {notes}")
        elif kind < 0.008:
            yield element(number, notes=f"poison {notes}")
        else:
            yield element(number, notes=notes or None)


def expected_code(row: dict[str, Any]) -> str | None:
    """Why a row is to be rejected; None if it is to be written."""
    if row["service_date"] == "2026-02-31":
        return "bad_date"
    notes = row["notes"] or ""
    if notes.startswith("bad"):
        return "row_fields_error"
    return "row_refused" if notes.startswith("poison") else None


def script_of(seed: int) -> Iterator[Fault | None]:
    chance = random.Random(seed)
    silent_at = time.monotonic() - 3 * TIMEOUT_SECONDS
    while True:
        if time.monotonic() - silent_at > 3 * TIMEOUT_SECONDS and chance.random() < SILENT_SHARE:
            yield chance.choice(SILENT_FAULTS)
            silent_at = time.monotonic()
        yield chance.choice(FAULTS) if chance.random() < FAULT_SHARE else None


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_row_has_exactly_one_outcome(seed: int) -> None:
    elements = list(elements_of(seed))
    rejected: list[Any] = []
    with FaultServer(script=script_of(seed)) as server, CuttingProxy(server.address) as proxy:
        table = server.create(STREAM, COLUMNS)
        server.is_bad = lambda row: row.get("notes", "").startswith("bad")
        server.is_poison = lambda row: row.get("notes", "").startswith("poison")
        server.poison_ends_call = bool(seed % 2)
        server.cut, server.swallow = proxy.cut, proxy.swallow
        seconds = work_through(elements, proxy.address, seed, rejected)
        wait_until(lambda: not server.open_calls)

    written = Counter(row["claim_id"] for row in table.rows)
    refused = Counter(row.data.decode() for row, _ in rejected)
    codes = {message.data.decode(): rejection.error_code for message, rejection in rejected}
    assert not written.keys() & refused.keys()
    assert set(refused.values()) <= {1}
    assert {row["claim_id"] for _, row in elements} == written.keys() | refused.keys()
    assert codes == {row["claim_id"]: code for _, row in elements if (code := expected_code(row))}
    originals = {id(message) for message, _ in elements}
    assert all(id(message) in originals for message, _ in rejected)

    assert max(seconds) < 2 * TIMEOUT_SECONDS
    duplicated = {claim_id for claim_id, count in written.items() if count > 1}
    lost = {row["claim_id"] for row in server.lost}
    assert duplicated <= lost | {row["claim_id"] for row in server.maybe_lost}
    print(
        f"\nseed {seed}: {len(elements)} rows, {len(written)} written, {len(refused)} rejected, "
        f"{server.counts['requests']} requests, {server.counts['calls']} calls, "
        f"{proxy.cuts} cuts, {server.counts['lost_answers']} answers lost, "
        f"{len(duplicated)} rows duplicated: {len(duplicated & lost)} whose answer the script lost,"
        f" {len(duplicated - lost)} whose answer was on its way when a call broke;"
        f" longest bundle {max(seconds):.1f} s; silent calls "
        f"{sum(server.faults[fault] for fault in SILENT_FAULTS)}"
    )


def work_through(elements: list[Any], address: str, seed: int, rejected: list[Any]) -> list[float]:
    """Bundles of all sizes in several threads; the seconds of each."""
    seconds: list[float] = []

    def work(share: list[Any], chance: random.Random) -> None:
        with bundles(address, PATIENT) as worker:
            while share:
                size = chance.choice((1, 10, 500, 2_000))
                began = time.monotonic()
                rejected.extend(worker.run(share[:size], chance.choice((0, 7, 100))))
                seconds.append(time.monotonic() - began)
                del share[:size]

    threads = [
        threading.Thread(target=work, args=(elements[n::THREADS], random.Random(seed * 10 + n)))
        for n in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


@pytest.mark.parametrize("seed", range(SEEDS))
def test_answers_in_excess_lose_nothing(seed: int) -> None:
    """Alone: an answer to the wrong request cannot be told, so that a refusal would meet it too."""
    chance = random.Random(seed)
    elements = [element(number) for number in range(ROWS)]
    script = (Fault(is_doubled=True) if chance.random() < 0.2 else None for _ in repeat(None))
    with (
        FaultServer(script=script, latency_seconds=0.01) as server,
        bundles(server.address, PATIENT) as worker,
    ):
        table = server.create(STREAM, COLUMNS)
        left = elements[:]
        while left:
            size = chance.choice((10, 500, 2_000))
            assert worker.run(left[:size]) == []
            del left[:size]
            time.sleep(0.05)  # until the answer that is too many is there
    assert {row["claim_id"] for row in table.rows} == {row["claim_id"] for _, row in elements}
    assert server.faults.total() > 1
    print(
        f"\nseed {seed}: {len(elements)} rows, {len(table.rows) - len(elements)} of them twice, "
        f"{server.counts['calls']} calls, answered twice {server.faults.total()}"
    )

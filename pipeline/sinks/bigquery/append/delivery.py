"""The appends of one bundle: sent, answered, repaired and sent again, until none is open."""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from random import SystemRandom
from typing import Any, NamedTuple

import grpc

from pipeline.sinks.bigquery.append.answers import (
    ADVICE,
    CONNECTION_CLOSED,
    Answer,
    Remedy,
    RowFault,
    remedy_for,
)
from pipeline.sinks.bigquery.append.call import Append
from pipeline.sinks.bigquery.append.limits import ROW_OVERHEAD_BYTES, AppendLimits
from pipeline.sinks.bigquery.append.schema_fit import SchemaFit
from pipeline.sinks.bigquery.append.shared_streams import SharedStream
from pipeline.sinks.bigquery.append.stream import StaleSchema
from pipeline.transforms.metrics import Tally

_RANDOM = SystemRandom()
_PATIENT_TRIES = 3


class AppendFailed(RuntimeError):
    """Appends failed for the whole budget: the bundle must fail, and be tried again."""


class Refused(NamedTuple):
    """A row that the table refuses for good."""

    data: bytes
    """The encoded row."""
    owner: Any
    """What `send` was given with it."""
    code: str
    error: str


class _Batch:
    """Rows that travel together."""

    __slots__ = ("alone", "failing_since", "fit", "is_refreshed", "owners", "rows", "tries")

    def __init__(self, rows: Sequence[bytes], owners: Sequence[Any]) -> None:
        self.rows = rows
        self.owners = owners
        self.alone = False
        self.tries = 0
        self.failing_since: float | None = None
        self.is_refreshed = False
        self.fit: SchemaFit | None = None

    def without(self, places: Collection[int]) -> "_Batch":
        kept = [place for place in range(len(self.rows)) if place not in places]
        return _Batch([self.rows[i] for i in kept], [self.owners[i] for i in kept])


class Delivery:
    """Sends rows through a shared connection. For one thread; after a failure, start anew."""

    def __init__(
        self,
        shared: SharedStream,
        limits: AppendLimits,
        tally: Tally,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = shared.stream
        self._log = shared.log
        self._limits = limits
        self._tally = tally
        self._sleep = sleep
        self._open: deque[tuple[_Batch, Append]] = deque()
        self._waiting: list[_Batch] = []
        self._refused: list[Refused] = []

    def send(self, rows: Sequence[bytes], owners: Sequence[Any]) -> None:
        """Send rows, each with its owner; looks at the answers that are there already.

        While appends fail this waits for them: rows must not pile up here.

        Raises:
            AppendFailed: the budget is spent.
        """
        while self._open and self._open[0][1].answer.done():
            self._judge_next()
        if self._waiting:
            self.finish()
        self._send(_Batch(rows, owners))

    def finish(self) -> None:
        """Wait until every row is acknowledged or refused.

        Raises:
            AppendFailed: the budget is spent.
        """
        while self._open or self._waiting:
            while self._open:
                self._judge_next()
            self._send_waiting()

    def take_refused(self) -> list[Refused]:
        """The rows that have been refused since this was last asked."""
        refused, self._refused = self._refused, []
        return refused

    def _send(self, batch: _Batch) -> None:
        while batch.rows:
            fit = self._stream.fit
            if fit.left_out:
                batch = self._drop_unheld(batch, fit)
                if not batch.rows:
                    return
            size = sum(map(len, batch.rows)) + ROW_OVERHEAD_BYTES * len(batch.rows)
            try:
                append = self._stream.append(batch.rows, size, fit, batch.alone)
            except StaleSchema:
                continue
            batch.fit = fit
            self._open.append((batch, append))
            self._tally["append_requests"] += 1
            self._tally.sample("in_flight_bytes", self._stream.in_flight_bytes)
            return

    def _judge_next(self) -> None:
        batch, append = self._open.popleft()
        answer = self._stream.wait(append)
        self._tally.sample("append_latency_ms", round(append.seconds * 1000))
        remedy = remedy_for(answer)
        if remedy is Remedy.DONE:
            self._tally["rows_written"] += len(batch.rows)
            self._tally["bytes_written"] += sum(map(len, batch.rows))
        elif remedy is Remedy.DROP_ROWS:
            self._drop_faults(batch, answer.row_faults)
        elif remedy is Remedy.BISECT:
            self._bisect(batch, answer)
        elif remedy is Remedy.REFRESH_SCHEMA:
            self._refresh_schema(batch, answer)
        else:
            self._postpone(batch, answer)

    def _drop_faults(self, batch: _Batch, faults: Sequence[RowFault]) -> None:
        named = {fault.place: fault for fault in faults if 0 <= fault.place < len(batch.rows)}
        for place, fault in named.items():
            column = f"{fault.column}: " if fault.column else ""
            self._refuse(batch, place, fault.code, f"{column}BigQuery refused the row")
        if named:
            self._send(batch.without(named))
        else:
            self._bisect(batch, Answer(sure=len(batch.rows) == 1))

    def _bisect(self, batch: _Batch, answer: Answer) -> None:
        if len(batch.rows) > 1:
            half = len(batch.rows) // 2
            self._send(_Batch(batch.rows[:half], batch.owners[:half]))
            self._send(_Batch(batch.rows[half:], batch.owners[half:]))
        elif answer.sure:
            self._refuse(batch, 0, "row_refused", "BigQuery refused the row")
        else:
            batch.alone = True
            self._send(batch)

    def _refresh_schema(self, batch: _Batch, answer: Answer) -> None:
        if not batch.is_refreshed and batch.fit is not None:
            batch.is_refreshed = True
            try:
                if self._stream.refresh_schema(batch.fit):
                    self._send(batch)
                    return
            except grpc.RpcError:
                batch.is_refreshed = False  # the next try asks again
        self._postpone(batch, answer)

    def _drop_unheld(self, batch: _Batch, fit: SchemaFit) -> _Batch:
        """Refuse the rows with values in columns that the table lacks."""
        unheld = {place for place, row in enumerate(batch.rows) if not fit.holds(row)}
        if not unheld:
            return batch
        for place in unheld:
            self._refuse_for_schema(batch, place, fit)
        return batch.without(unheld)

    def _refuse_for_schema(self, batch: _Batch, place: int, fit: SchemaFit | None) -> None:
        lacking = ", ".join(fit.left_out) if fit and fit.left_out else ""
        text = f"{lacking}: the table lacks the column" if lacking else "the table lacks columns"
        self._refuse(batch, place, "schema_mismatch", text)

    def _refuse(self, batch: _Batch, place: int, code: str, error: str) -> None:
        self._tally[f"rejected_write_{code}"] += 1
        self._refused.append(Refused(batch.rows[place], batch.owners[place], code, error))

    def _postpone(self, batch: _Batch, answer: Answer) -> None:
        """Have a batch sent again later, if its budget lasts."""
        now = time.monotonic()
        if batch.failing_since is None:
            batch.failing_since = now
        failing_seconds = now - batch.failing_since
        if failing_seconds >= self._limits.budget_seconds:
            if remedy_for(answer) is not Remedy.REFRESH_SCHEMA:
                why = ADVICE.get(answer.reason, "see the log")
                raise AppendFailed(
                    f"appends failed for {failing_seconds:.0f} s: {answer.reason} ({why})"
                )
            for place in range(len(batch.rows)):
                self._refuse_for_schema(batch, place, batch.fit)
            return
        if answer.reason != CONNECTION_CLOSED or batch.tries:
            batch.tries += 1
            if answer.reason in ADVICE or batch.tries >= _PATIENT_TRIES:
                self._log.warn(answer.reason, failing_seconds)
        self._tally[f"append_retries_{answer.reason.lower()}"] += 1
        self._waiting.append(batch)

    def _send_waiting(self) -> None:
        """Send again what failed, after one wait for all: full jitter, doubling with the tries."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        tries = max(batch.tries for batch in waiting)
        if tries:
            longest = self._limits.first_backoff_seconds * 2.0 ** min(tries - 1, 30)
            self._sleep(_RANDOM.uniform(0, min(longest, self._limits.max_backoff_seconds)))
        for batch in waiting:
            self._send(batch)

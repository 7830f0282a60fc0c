"""The appends of one bundle: sent, answered, repaired and sent again, until none is open."""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from random import SystemRandom
from typing import Any, NamedTuple

import grpc
from google.rpc import code_pb2

from pipeline.sinks.bigquery.append.answers import (
    ADVICE,
    CONNECTION_CLOSED,
    LACKING,
    SCHEMA_LAGS,
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
    """Appends failed for the entire budget, so the bundle must fail and be retried."""


class Refused(NamedTuple):
    """A row that the table refuses permanently."""

    data: bytes
    """The encoded row."""
    owner: Any
    """What `send` was given with it."""
    code: str
    error: str


class _Batch:
    """Rows that travel together."""

    def __init__(self, rows: Sequence[bytes], owners: Sequence[Any], held: int) -> None:
        self.rows = rows
        self.owners = owners
        self.held = held
        """Bytes of the messages, about; of a part of a batch no less than they are."""
        self.count = len(rows)
        self.size = sum(map(len, rows))
        self.alone = False
        self.tries = 0
        self.reason = ""
        """Why the last attempt failed."""
        self.failing_since: dict[bool, float] = {}
        """Since when the table lacks columns (True), and since when anything else is wrong."""
        self.fit: SchemaFit | None = None

    @property
    def is_bystander(self) -> bool:
        """Whether calls keep ending before they reach these rows, perhaps because of others.

        If many rows are bad, these would never get a response as long as others are sent first.
        """
        return self.reason == CONNECTION_CLOSED and self.tries >= _PATIENT_TRIES

    def part(self, places: Collection[int]) -> "_Batch":
        """Some of the rows, which have failed as long and as often as all of them."""
        rows, owners = [self.rows[i] for i in places], [self.owners[i] for i in places]
        part = _Batch(rows, owners, self.held)
        part.tries, part.failing_since, part.fit = self.tries, {**self.failing_since}, self.fit
        return part

    def without(self, places: Collection[int]) -> "_Batch":
        return self.part([place for place in range(self.count) if place not in places])

    def release(self, answer: Future[Answer]) -> None:
        """Hold nothing any more, once all of it is stored; called by the reading thread."""
        if remedy_for(answer.result()) is Remedy.DONE:
            self.rows, self.owners = (), ()


class Delivery:
    """Sends rows through a shared connection. For one thread; after a failure, make a new one."""

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
        self._refused_fit: SchemaFit | None = None  # checked once before the waiting rows are sent

    def send(self, rows: Sequence[bytes], owners: Sequence[Any], held: int = 0) -> None:
        """Send rows, each with its owner; looks at the answers that are there already.

        While appends fail this waits for them: rows must not pile up here. `held` is what the
        owners hold, in bytes.

        Raises:
            AppendFailed: the budget is spent.
        """
        while self._open and self._open[0][1].answer.done():
            self._judge_next()
        if self._waiting:
            self.finish()
        self._look_if_due()
        self._send(_Batch(rows, owners, held))

    def finish(self) -> None:
        """Wait until every row is acknowledged or refused.

        Raises:
            AppendFailed: the budget is spent.
        """
        while self._open or self._waiting:
            self._judge_open()
            self._send_waiting()

    def take_refused(self) -> list[Refused]:
        """The rows refused since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def _send(self, batch: _Batch) -> None:
        while batch.rows:
            batch.fit = fit = self._stream.fit
            if fit.left_out:
                batch = self._set_aside_unheld(batch, fit)
                if not batch.rows:
                    return
            size = batch.size + ROW_OVERHEAD_BYTES * batch.count
            try:
                append = self._stream.append(batch.rows, size, batch.held, fit, batch.alone)
            except StaleSchema:
                continue
            append.answer.add_done_callback(batch.release)
            self._open.append((batch, append))
            self._tally["append_requests"] += 1
            self._tally.sample("in_flight_bytes", self._stream.in_flight_bytes)
            return

    def _judge_open(self) -> None:
        while self._open:
            self._judge_next()

    def _judge_next(self) -> None:
        batch, append = self._open.popleft()
        answer = self._stream.wait(append)
        self._tally.sample("append_latency_ms", round(append.seconds * 1000))
        remedy = remedy_for(answer)
        if remedy is Remedy.DONE:
            self._tally["rows_written"] += batch.count
            self._tally["bytes_written"] += batch.size
        elif remedy is Remedy.DROP_ROWS:
            self._drop_faults(batch, answer.row_faults)
        elif remedy is Remedy.BISECT:
            self._bisect(batch, answer)
        elif remedy is Remedy.REFRESH_SCHEMA:
            self._refused_fit = batch.fit
            self._postpone(batch, answer)
        else:
            self._postpone(batch, answer)
            if batch.tries >= _PATIENT_TRIES:
                self._stream.leave(append.call)  # another connection may do better

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
        if batch.count > 1:
            if answer.reason != SCHEMA_LAGS:
                batch.failing_since = {}  # this is progress
            half = batch.count // 2
            self._send(batch.part(range(half)))
            self._send(batch.part(range(half, batch.count)))
        elif answer.sure:
            self._refuse(batch, 0, "row_refused", "BigQuery refused the row")
        elif batch.alone:
            self._postpone(batch, answer)
        else:
            batch.alone = True
            self._send(batch)

    def _look(self, fit: SchemaFit, *, is_refused: bool = False) -> None:
        """Check which columns the table has now; if the service does not answer, the next attempt
        asks again."""
        try:
            self._stream.refresh_schema(fit, is_refused)
        except (grpc.RpcError, ValueError):  # the latter if another thread has left the channel
            self._tally["schema_look_ups_failed"] += 1

    def _look_if_due(self) -> None:
        if self._stream.is_look_due():
            self._look(self._stream.fit)

    def _set_aside_unheld(self, batch: _Batch, fit: SchemaFit) -> _Batch:
        """Take out the rows with values in columns that the table lacks.

        They wait, as the service takes minutes to know a new column; once it has been lacking for
        the whole budget, they are refused.
        """
        unheld = {place for place, row in enumerate(batch.rows) if not fit.holds(row)}
        if not unheld:
            return batch
        if time.monotonic() - fit.since >= self._limits.budget_seconds:
            self._refuse_for_schema(batch, unheld)
        else:
            self._postpone(batch.part(sorted(unheld)), Answer(LACKING, code_pb2.INVALID_ARGUMENT))
        return batch.without(unheld)

    def _refuse_for_schema(self, batch: _Batch, places: Collection[int]) -> None:
        lacking = ", ".join(batch.fit.left_out) if batch.fit else ""
        text = f"{lacking}: missing from the table" if lacking else "the table is missing columns"
        for place in places:
            self._refuse(batch, place, "schema_mismatch", text)

    def _refuse(self, batch: _Batch, place: int, code: str, error: str) -> None:
        self._tally[f"rejected_write_{code}"] += 1
        self._refused.append(Refused(batch.rows[place], batch.owners[place], code, error))

    def _postpone(self, batch: _Batch, answer: Answer) -> None:
        """Schedule a batch to be resent, if its budget allows."""
        now = time.monotonic()
        is_lacking = remedy_for(answer) is Remedy.REFRESH_SCHEMA
        failing_seconds = now - batch.failing_since.setdefault(is_lacking, now)
        if failing_seconds >= self._limits.budget_seconds:
            if not is_lacking:
                why = ADVICE.get(answer.reason, "see the log")
                raise AppendFailed(
                    f"appends failed for {failing_seconds:.0f} s: {answer.reason} ({why})"
                )
            if answer.reason == SCHEMA_LAGS and batch.count > 1:
                self._bisect(batch, answer)  # the text may have quoted a row
            else:
                self._refuse_for_schema(batch, range(batch.count))
            return
        batch.tries += 1
        batch.reason = answer.reason
        if answer.reason in ADVICE or batch.tries >= _PATIENT_TRIES:
            self._log.warn(answer.reason, failing_seconds)
        self._tally[f"append_retries_{answer.reason.lower()}"] += 1
        self._waiting.append(batch)

    def _send_waiting(self) -> None:
        """Resend what failed, after one wait for all batches: full jitter, doubling with each
        attempt."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        tries = max(batch.tries for batch in waiting)
        longest = self._limits.first_backoff_seconds * 2.0 ** min(tries - 1, 30)
        held = sum(batch.size + batch.held for batch in waiting)
        self._stream.hold(held)  # or each thread would hold as much as all of them may
        try:
            self._sleep(_RANDOM.uniform(0, min(longest, self._limits.max_backoff_seconds)))
            fit = self._stream.fit
            is_refused, self._refused_fit = fit is self._refused_fit, None
            if is_refused or fit.left_out:
                self._look(fit, is_refused=is_refused)
            for batch in waiting:
                size = batch.size + batch.held
                self._stream.hold(-size)
                held -= size
                self._send(batch)
                if batch.is_bystander and all(other.is_bystander for other in self._waiting):
                    self._judge_open()
        finally:
            self._stream.hold(-held)

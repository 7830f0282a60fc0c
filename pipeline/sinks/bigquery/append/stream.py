"""One connection to the default stream of one table, shared by all threads of a process.

Appends are pipelined: the service answers in the order of the requests, so that the first
unanswered append owns the next answer. The bytes in flight are bounded; who appends beyond, waits.
A call that ends, for whatever reason, gives each unanswered append the reason as its answer, and
the next append opens another: to send again is the caller's decision (delivery.py).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc

from pipeline.claims.contract import Column
from pipeline.sinks.bigquery.append.answers import (
    Answer,
    ColumnFinder,
    answer_of,
    answers_of_ended_call,
)
from pipeline.sinks.bigquery.append.call import Append, AppendCall
from pipeline.sinks.bigquery.append.channel import APPEND_ROWS, routing_header
from pipeline.sinks.bigquery.append.schema_fit import SchemaFit, table_fields


class StaleSchema(Exception):
    """The writer schema has changed since the rows were checked against it."""


class AppendStream:
    """The connection. Nothing is opened before the first append."""

    def __init__(
        self,
        stream: str,
        columns: Sequence[Column],
        open_channel: Callable[[], grpc.Channel],
        *,
        max_in_flight_bytes: int,
        answer_timeout_seconds: float,
    ) -> None:
        """Describe the connection.

        Args:
            stream: `projects/P/datasets/D/tables/T/streams/_default`.
            columns: of the rows.
            open_channel: gives the gRPC channel, which is closed with this object.
            max_in_flight_bytes: of requests without answer; one request may be larger, alone.
            answer_timeout_seconds: without any answer, after which the connection counts as dead.
        """
        self.stream = stream
        self.fit = SchemaFit(columns)
        """The writer schema in use."""
        self.in_flight_bytes = 0
        self._columns = tuple(columns)
        self._finder = ColumnFinder(column.name for column in columns)
        self._open_channel = open_channel
        self._max_in_flight_bytes = max_in_flight_bytes
        self._answer_timeout_seconds = answer_timeout_seconds
        self._changed = threading.Condition()  # guards all that follows, and the two above
        self._channel: grpc.Channel | None = None
        self._call: AppendCall | None = None  # the one that takes appends
        self._calls: set[AppendCall] = set()  # all that have not ended
        self._loners = 0  # appends that are, or wait to be, in flight alone
        self._last_progress = time.monotonic()

    def append(
        self, rows: Sequence[bytes], size: int, fit: SchemaFit, alone: bool = False
    ) -> Append:
        """Send rows; waits while too much is in flight.

        Args:
            rows: encoded, and held by `fit`.
            size: bytes of the request.
            fit: the schema that the rows were checked against.
            alone: with nothing else in flight, so that any answer is about these rows.

        Raises:
            StaleSchema: `fit` is no longer that of the connection; nothing was sent.
        """
        append = Append(size, alone)
        with self._changed:
            self._loners += alone
            try:
                while not self._has_room(append):
                    if not self._changed.wait(self._answer_timeout_seconds):
                        self._break_if_silent()
                if fit is not self.fit:
                    raise StaleSchema
                self._call = self._call or self._open_call()
            except BaseException:
                self._loners -= alone
                self._changed.notify_all()
                raise
            if not self.in_flight_bytes:
                self._last_progress = time.monotonic()
            self.in_flight_bytes += size
            self._call.send(append, rows)
        return append

    def wait(self, append: Append) -> Answer:
        """An append's answer, once it is there."""
        while True:
            try:
                return append.answer.result(self._answer_timeout_seconds)
            except TimeoutError:
                with self._changed:
                    self._break_if_silent()

    def refresh_schema(self, fit: SchemaFit) -> bool:
        """Look which columns the table has now; True if that changed the writer schema.

        grpc.RpcError when the service does not tell.

        Args:
            fit: the schema that was refused; if it is not in use any more, nothing is to be done.
        """
        with self._changed:
            if fit is not self.fit:
                return True
            self._channel = channel = self._channel or self._open_channel()
        found = table_fields(channel, self.stream)
        with self._changed:
            changed = self._fit_to(found)
            self._retire_call()  # in any case: a new one sees the table as it is now
        return changed

    def close(self) -> None:
        """End the connection, when no append is in flight any more."""
        with self._changed:
            self._retire_call()
            calls, channel, self._channel = list(self._calls), self._channel, None
        for call in calls:
            call.join(timeout_seconds=1)
        if channel is not None:
            channel.close()  # ends what has not ended by itself

    def _has_room(self, append: Append) -> bool:
        if append.alone:
            return self.in_flight_bytes == 0
        fits = self.in_flight_bytes + append.size <= self._max_in_flight_bytes
        return not self._loners and (fits or self.in_flight_bytes == 0)

    def _open_call(self) -> AppendCall:
        self._channel = channel = self._channel or self._open_channel()
        metadata = (routing_header("write_stream", self.stream),)

        def open_rpc(requests: Iterator[bytes]) -> Any:
            return channel.stream_stream(APPEND_ROWS)(requests, metadata=metadata)

        call = AppendCall(open_rpc, self.stream, self.fit, self._on_answer, self._on_end)
        self._calls.add(call)
        return call

    def _on_answer(self, call: AppendCall, response: Any) -> None:
        with self._changed:
            append = call.unanswered.popleft()
            self._settle([append])
            if self.fit.left_out and response.HasField("updated_schema"):
                if self._fit_to(response.updated_schema.fields):
                    self._retire_call()
        append.set_answer(answer_of(response, self._finder))

    def _on_end(self, call: AppendCall, error: grpc.RpcError | None) -> None:
        with self._changed:
            self._calls.discard(call)
            if self._call is call:
                self._call = None
            unanswered = list(call.unanswered)
            call.unanswered.clear()
            alone = len(unanswered) == 1 and unanswered[0].alone
            self._settle(unanswered)
        answers = answers_of_ended_call(error, len(unanswered), alone)
        for append, answer in zip(unanswered, answers, strict=True):
            append.set_answer(answer)

    def _settle(self, appends: Sequence[Append]) -> None:
        for append in appends:
            self.in_flight_bytes -= append.size
            self._loners -= append.alone
        self._last_progress = time.monotonic()
        self._changed.notify_all()

    def _fit_to(self, found: Sequence[Any]) -> bool:
        fit = SchemaFit(self._columns, found)
        if fit.left_out == self.fit.left_out:
            return False
        self.fit = fit
        return True

    def _retire_call(self) -> None:
        """Let the call end by itself; the next append opens another."""
        if self._call is not None:
            self._call.finish()
            self._call = None

    def _break_if_silent(self) -> None:
        """End all calls if nothing has been answered for too long."""
        silent_seconds = time.monotonic() - self._last_progress
        if self.in_flight_bytes and silent_seconds >= self._answer_timeout_seconds:
            for call in self._calls:
                call.cancel()
            self._last_progress = time.monotonic()

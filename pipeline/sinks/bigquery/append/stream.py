"""One connection to the default stream of one table, shared by all threads of a process.

Appends are pipelined: the service answers in the order of the requests, so that the first
unanswered append owns the next answer. The bytes in flight are bounded, and so are the bytes of
the messages that wait for their rows; who appends beyond, waits.

A call that ends, for whatever reason, gives each unanswered append the reason as its answer, and
the next append opens another: to send again is the caller's decision (delivery.py). A call that is
silent for too long is given up together with its channel: that something else makes progress says
nothing about it, and a channel may keep a dead connection.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import grpc

from pipeline.claims.contract import Column
from pipeline.sinks.bigquery.append.answers import (
    IN_EXCESS,
    SILENT,
    Answer,
    AppendRowsResponse,
    ColumnFinder,
    answer_of,
    answers_of_ended_call,
    unsure,
)
from pipeline.sinks.bigquery.append.call import Append, AppendCall
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.append.schema_fit import LOOK_UP_SECONDS, SchemaFit, table_fields

_CLOSING_SECONDS = 5.0


class StaleSchema(Exception):
    """The writer schema has changed since the rows were checked against it."""


class AppendStream:
    """The connection. Nothing is opened before the first append."""

    def __init__(
        self,
        stream: str,
        columns: Sequence[Column],
        open_channel: Callable[[], grpc.Channel],
        limits: AppendLimits,
    ) -> None:
        """Describe the connection.

        Args:
            stream: `projects/P/datasets/D/tables/T/streams/_default`.
            columns: of the rows.
            open_channel: gives a gRPC channel, which is closed with this object, or earlier.
            limits: of bytes in flight, of which one request may have more, alone; and of silence.
        """
        self.stream = stream
        self.fit = SchemaFit(columns)
        """The writer schema in use."""
        self.in_flight_bytes = 0
        self._held_bytes = 0
        self._columns = tuple(columns)
        self._finder = ColumnFinder(column.name for column in columns)
        self._open_channel = open_channel
        self._limits = limits
        self._changed = threading.Condition()  # guards all that follows, and those above
        self._channel: grpc.Channel | None = None  # of calls to come
        self._call: AppendCall | None = None  # the one that takes appends
        self._calls: set[AppendCall] = set()  # all that have not ended
        self._loners = 0  # appends that are, or wait to be, in flight alone
        self._looked_at = 0.0

    def append(
        self, rows: Sequence[bytes], size: int, held: int, fit: SchemaFit, alone: bool = False
    ) -> Append:
        """Send rows; waits while too much is in flight.

        Args:
            rows: encoded, and held by `fit`.
            size: bytes of the request.
            held: bytes that the caller holds until the answer, beside the rows.
            fit: the schema that the rows were checked against.
            alone: on a call of its own with nothing else in flight, so that any answer is about
                these rows.

        Raises:
            StaleSchema: `fit` is no longer that of the connection; nothing was sent.
        """
        append = Append(size, held, alone)
        with self._changed:
            self._loners += alone
            try:
                while not self._has_room(append):
                    self._changed.wait(self._end_silent(self._calls))
                if fit is not self.fit:
                    raise StaleSchema
                if alone:  # a call that has refused rows may still end because of them
                    self._retire_call()
                self._call = self._call or self._open_call()
                self._call.send(append, rows)
            except BaseException:
                self._loners -= alone
                self._changed.notify_all()
                raise
            self.in_flight_bytes += size
            self._held_bytes += held
        return append

    def wait(self, append: Append) -> Answer:
        """An append's answer, once it is there."""
        while True:
            with self._changed:
                patience = self._end_silent((append.call,))
            try:
                return append.answer.result(patience)
            except TimeoutError:
                continue

    def is_look_due(self) -> bool:
        """Whether columns are left out, and it is time to look whether they must be."""
        with self._changed:
            since = time.monotonic() - self._looked_at
            return bool(self.fit.left_out) and (
                self._call is None or since >= self._limits.look_again_seconds
            )

    def refresh_schema(self, fit: SchemaFit, is_refused: bool = False) -> None:
        """Look which columns the table has now, and fit the writer schema to them.

        grpc.RpcError when the service does not tell; ValueError when another thread has left the
        connection meanwhile.

        Args:
            fit: the schema that was in use; if it is not any more, nothing is to be done.
            is_refused: whether the service refused it: then the next append opens another call,
                which sees the table as it is now.
        """
        with self._changed:
            if fit is not self.fit:
                return
            self._looked_at = time.monotonic()
            self._channel = channel = self._channel or self._open_channel()
        patience = min(LOOK_UP_SECONDS, self._limits.answer_timeout_seconds / 2)
        try:
            found = table_fields(channel, self.stream, patience)
            with self._changed:
                is_refused |= self._fit_to(found)
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                with self._changed:
                    self._leave_channel(channel)
            raise
        finally:
            with self._changed:
                if is_refused:
                    self._retire_call()

    def hold(self, more: int) -> None:
        """Count bytes that a sender holds while it waits to send them again; negative when it no
        longer does."""
        with self._changed:
            self._held_bytes += more
            self._changed.notify_all()

    def leave(self, call: AppendCall) -> None:
        """Have the next append open another connection than that of a call that keeps failing."""
        with self._changed:
            self._leave_channel(call.channel)
            if not call.unanswered:
                call.cancel()  # the service may never end it

    def close(self) -> None:
        """End the connection, when no append is in flight any more."""
        with self._changed:
            self._retire_call()
            calls = list(self._calls)
            channels: set[Any] = {call.channel for call in calls}
            channels |= {self._channel} if self._channel else set()
            self._channel = None
        until = time.monotonic() + min(_CLOSING_SECONDS, self._limits.answer_timeout_seconds)
        for call in calls:  # what the service has not yet read must not be cut off
            call.join(max(0.0, until - time.monotonic()))
        for channel in channels:
            channel.close()  # ends what has not ended by itself

    def _has_room(self, append: Append) -> bool:
        if append.alone:
            return self.in_flight_bytes == 0
        limits = self._limits
        fits = (
            self.in_flight_bytes + append.size <= limits.in_flight_bytes
            and self._held_bytes + append.held <= limits.in_flight_held_bytes
        )
        return not self._loners and (fits or self.in_flight_bytes == 0)

    def _open_call(self) -> AppendCall:
        self._end_silent(self._calls)
        self._channel = channel = self._channel or self._open_channel()
        call = AppendCall(channel, self.stream, self.fit, self._on_response, self._on_end)
        self._calls.add(call)
        return call

    def _on_response(self, call: AppendCall, data: bytes) -> None:
        response = AppendRowsResponse.FromString(data)
        answer = answer_of(response, self._finder)
        with self._changed:
            append = call.next_answered()
            if append is None:
                self._end_for_excess(call)
                return
            self._settle([append])
            try:
                if self.fit.left_out and response.HasField("updated_schema"):
                    if self._fit_to(response.updated_schema.fields):
                        self._retire_call()
            finally:
                append.set_answer(answer)

    def _end_for_excess(self, call: AppendCall) -> None:
        """Let a call end that has had an answer too many: no further one can be trusted.

        What the service has of it is left to be stored: some of it has counted as answered.
        """
        if self._call is call:
            self._retire_call()
        self._give_up(call, repeat(unsure(IN_EXCESS)))
        if call.answers > 2 * call.taken + 1:
            call.cancel()  # it never ends by itself

    def _on_end(self, call: AppendCall, error: Exception | None) -> None:
        with self._changed:
            self._calls.discard(call)
            if self._call is call:
                self._call = None
            count = len(call.unanswered)
            alone = count == 1 and call.unanswered[0].alone
            self._give_up(call, answers_of_ended_call(error, count, alone))
            channel = call.channel
            is_in_use = channel is self._channel or any(
                other.channel is channel for other in self._calls
            )
        if not is_in_use:
            channel.close()

    def _give_up(self, call: AppendCall, answers: Iterable[Answer]) -> None:
        """Give what is unanswered its answers; nothing that comes later is for it."""
        unanswered = call.take_unanswered()
        self._settle(unanswered)
        for append, answer in zip(unanswered, answers, strict=False):
            append.set_answer(answer)

    def _settle(self, appends: Sequence[Append]) -> None:
        for append in appends:
            self.in_flight_bytes -= append.size
            self._held_bytes -= append.held
            self._loners -= append.alone
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

    def _leave_channel(self, channel: grpc.Channel) -> None:
        """Use another channel from now on; this one is closed when its last call has ended."""
        is_current = channel is self._channel
        if not is_current:
            return
        self._retire_call()
        self._channel = None
        if not any(call.channel is channel for call in self._calls):
            channel.close()

    def _end_silent(self, calls: Iterable[AppendCall]) -> float:
        """End those of some calls that are silent, or were retired and do not end.

        Seconds until the next one counts as silent; 0 if one did.
        """
        patience = self._limits.answer_timeout_seconds
        now = time.monotonic()
        for call in list(calls):
            if not call.unanswered and call is self._call:
                continue
            left = call.heard_at + self._limits.answer_timeout_seconds - now
            if left > 0:
                patience = min(patience, left)
                continue
            if call.unanswered:
                self._give_up(call, repeat(unsure(SILENT)))
                self._leave_channel(call.channel)
                patience = 0.0
            call.cancel()  # one that was retired may have all answers, and not end by itself
        return patience

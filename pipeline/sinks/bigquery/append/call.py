"""One AppendRows RPC: requests go in, and a dedicated thread reads the answers."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import grpc

from pipeline.sinks.bigquery.append.answers import Answer, AppendRowsRequest
from pipeline.sinks.bigquery.append.channel import APPEND_ROWS, routing_header, user_agent
from pipeline.sinks.bigquery.append.schema_fit import SchemaFit


class Append:
    """One request in flight."""

    __slots__ = ("alone", "answer", "call", "held", "seconds", "size")

    def __init__(self, size: int, held: int, alone: bool) -> None:
        self.size = size
        """Bytes of the request."""
        self.held = held
        """Bytes that its sender holds beside it."""
        self.alone = alone
        """Whether it was sent with nothing else in flight."""
        self.answer: Future[Answer] = Future()
        self.seconds = 0.0
        """From sending to answer, once it is answered."""
        self.call: AppendCall
        """That it was sent on."""

    def set_answer(self, answer: Answer) -> None:
        """Set the answer; once."""
        self.seconds += time.monotonic()
        self.answer.set_result(answer)


class AppendCall:
    """The RPC, opened at once. Its methods are for one thread at a time, but for the reading one.

    Its reading thread ends when the RPC does, or when `on_response` raises, whatever that is.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        stream: str,
        fit: SchemaFit,
        on_response: Callable[["AppendCall", bytes], None],
        on_end: Callable[["AppendCall", Exception | None], None],
    ) -> None:
        """Open the RPC.

        Args:
            channel: that it goes over.
            stream: that it appends to.
            fit: its writer schema.
            on_response: called by the reading thread for each response.
            on_end: called by the reading thread, last, with what ended the call.
        """
        self.channel = channel
        self.unanswered: deque[Append] = deque()
        self.heard_at = time.monotonic()
        """When there was last an answer, or nothing to be answered."""
        self.taken = 0
        """Requests that gRPC has taken over."""
        self.answers = 0
        self._stream = stream
        self._fit = fit
        self._on_response = on_response
        self._on_end = on_end
        self._is_first = True
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._rpc: Any = channel.stream_stream(APPEND_ROWS)(
            self._taken(), metadata=(routing_header("write_stream", stream),)
        )
        self._reader = threading.Thread(target=self._read, name="append-answers", daemon=True)
        self._reader.start()

    def send(self, append: Append, rows: Sequence[bytes]) -> None:
        """Send rows; the first request of a call bears what the others inherit."""
        request = AppendRowsRequest()
        request.proto_rows.rows.serialized_rows.extend(rows)
        if self._is_first:
            request.write_stream = self._stream
            request.trace_id = user_agent()
            request.proto_rows.writer_schema.proto_descriptor.CopyFrom(self._fit.descriptor)
        data = request.SerializeToString()
        self._is_first = False
        now = time.monotonic()
        if not self.unanswered:
            self.heard_at = now
        append.call, append.seconds = self, -now
        self.unanswered.append(append)
        self._requests.put(data)

    def next_answered(self) -> Append | None:
        """The append that an answer is for; None if there are more answers than requests."""
        self.answers += 1
        if self.answers > self.taken or not self.unanswered:
            return None
        self.heard_at = time.monotonic()
        return self.unanswered.popleft()

    def take_unanswered(self) -> list[Append]:
        """All unanswered appends; this call will not answer them any more."""
        unanswered = list(self.unanswered)
        self.unanswered.clear()
        return unanswered

    def finish(self) -> None:
        """Let the call end once its requests are answered."""
        if not self.unanswered:
            self.heard_at = time.monotonic()
        self._requests.put(None)

    def cancel(self) -> None:
        """End the call at once."""
        self._rpc.cancel()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the end of the reading thread."""
        self._reader.join(timeout_seconds)

    def _taken(self) -> Iterator[bytes]:
        for request in iter(self._requests.get, None):
            self.taken += 1
            yield request

    def _read(self) -> None:
        error: Exception | None = None
        try:
            for data in self._rpc:
                self._on_response(self, data)
        except Exception as ended:
            error = ended
        finally:
            self._rpc.cancel()
            self.finish()  # lets gRPC's own sending thread end
            self._on_end(self, error)

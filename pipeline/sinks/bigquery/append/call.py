"""One AppendRows RPC: requests go in, and a thread of its own reads the answers."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import grpc

from pipeline.sinks.bigquery.append.answers import Answer, AppendRowsRequest, AppendRowsResponse
from pipeline.sinks.bigquery.append.channel import user_agent
from pipeline.sinks.bigquery.append.schema_fit import SchemaFit


class Append:
    """One request in flight."""

    __slots__ = ("alone", "answer", "seconds", "size")

    def __init__(self, size: int, alone: bool) -> None:
        self.size = size
        """Bytes of the request."""
        self.alone = alone
        """Whether it was sent with nothing else in flight."""
        self.answer: Future[Answer] = Future()
        self.seconds = 0.0
        """From sending to answer, once it is answered."""

    def set_answer(self, answer: Answer) -> None:
        """Set the answer; once."""
        self.seconds += time.monotonic()
        self.answer.set_result(answer)


class AppendCall:
    """The RPC, opened at once. Its sending methods are for one thread at a time."""

    def __init__(
        self,
        open_rpc: Callable[[Iterator[bytes]], Any],
        stream: str,
        fit: SchemaFit,
        on_answer: Callable[["AppendCall", Any], None],
        on_end: Callable[["AppendCall", grpc.RpcError | None], None],
    ) -> None:
        """Open the RPC.

        Args:
            open_rpc: takes the requests, gives the responses.
            stream: that it appends to.
            fit: its writer schema.
            on_answer: called by the reading thread for each response.
            on_end: called by the reading thread, last, with the error that ended the call.
        """
        self.unanswered: deque[Append] = deque()
        self._stream = stream
        self._fit = fit
        self._on_answer = on_answer
        self._on_end = on_end
        self._is_first = True
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._rpc = open_rpc(iter(self._requests.get, None))
        self._reader = threading.Thread(target=self._read, name="append-answers", daemon=True)
        self._reader.start()

    def send(self, append: Append, rows: Sequence[bytes]) -> None:
        """Send rows; the first request of a call bears what the others inherit."""
        request = AppendRowsRequest()
        request.proto_rows.rows.serialized_rows.extend(rows)
        if self._is_first:
            self._is_first = False
            request.write_stream = self._stream
            request.trace_id = user_agent()
            request.proto_rows.writer_schema.proto_descriptor.CopyFrom(self._fit.descriptor)
        append.seconds = -time.monotonic()
        self.unanswered.append(append)
        self._requests.put(request.SerializeToString())

    def finish(self) -> None:
        """Let the call end once its requests are answered."""
        self._requests.put(None)

    def cancel(self) -> None:
        """End the call at once."""
        self._rpc.cancel()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the end of the reading thread."""
        self._reader.join(timeout_seconds)

    def _read(self) -> None:
        error: grpc.RpcError | None = None
        try:
            for data in self._rpc:
                self._on_answer(self, AppendRowsResponse.FromString(data))
        except grpc.RpcError as ended:
            error = ended
        finally:
            self._rpc.cancel()
            self.finish()  # lets gRPC's own sending thread end
            self._on_end(self, error)

"""A Storage Write API server that keeps rows, and fails by script as the service documents it.

It decodes rows by the writer schema that it is sent, and enforces REQUIRED, types and limits, which
bqemulator does not. Its error texts quote values on purpose: none may come out of the sink.
"""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import grpc
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import any_pb2
from google.rpc import code_pb2, status_pb2

from pipeline.claims.contract import Column
from pipeline.sinks.bigquery.encode.row_schema import PROTO_TYPES, message_class
from tests.support.bigquery.table_rules import row_dict, row_fault

MAX_REQUEST_BYTES = 20_000_000
SECRET = "the-value-of-a-patient"
_CUT_SECRET = SECRET.encode()[:-1] + b"\xc3"
SERVICE = "google.cloud.bigquery.storage.v1.BigQueryWrite"
Request = types.AppendRowsRequest.pb()
Response = types.AppendRowsResponse.pb()
_StorageError = types.StorageError.pb()
_RECENT = 32
_GARBAGE = b"\xff"
_MOMENT = 0.05
_STORAGE_ERROR_URL = f"type.googleapis.com/{_StorageError.DESCRIPTOR.full_name}"
_TYPE_NAMES = {"INTEGER": "INT64", "FLOAT": "DOUBLE", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


@dataclass(frozen=True)
class Fault:
    """What happens to one request."""

    code: int = code_pb2.OK
    """The error that it is answered with."""
    ends_call: bool = False
    """Whether the error ends the call, rather than being one answer of many."""
    storage_code: int = 0
    places: tuple[int, ...] = ()
    """The rows that `row_errors` name."""
    is_kept: bool = False
    """Whether the rows are stored all the same: the answer is lost after the append took effect."""
    closes: bool = False
    """Whether the call is ended in peace afterwards, as after ten idle minutes."""
    repeats: bool = False
    """Whether the call ends with the error, too, a moment after it was an answer."""
    cuts: bool = False
    """Whether the connection is cut instead of an answer, by `FaultServer.cut`."""
    drops: bool = False
    """Whether the call is ended in peace instead of an answer, and nothing is stored."""
    is_silent: bool = False
    """Whether the call swallows this request and all that follow, for as long as it is open."""
    swallows: bool = False
    """Whether the connections of all calls stay open and carry nothing, by `FaultServer.swallow`.
    """
    is_empty: bool = False
    """Whether the answer says nothing, and nothing is stored."""
    is_doubled: bool = False
    """Whether the rows are stored and answered twice; no further fault meets the call then.

    Between the extra answer and the one that is too many nothing tells that they are shifted.
    """
    is_garbled: bool = False
    """Whether the details of the error do not parse; without an error, the answer itself."""
    stays: bool = False
    """Whether all further requests of the call meet it, too."""
    text: str = ""
    """The error's text; where it is empty, one that quotes a value."""


@dataclass
class TableState:
    """A table: its columns, its rows as dicts of proto values."""

    columns: Sequence[Column]
    rows: list[dict[str, Any]] = field(default_factory=list)
    shown: Sequence[Column] | None = None
    """What `GetWriteStream` shows, where it is not what appends can have."""


class CallEnded(Exception):
    """Ends a call with a status."""

    def __init__(self, code: int, storage_code: int = 0, text: str = "") -> None:
        self.status = _status(code, storage_code, text)
        self.is_garbled = False


@dataclass
class FaultServer:
    """The server. Use it as a context manager."""

    script: Iterator[Fault | None] = field(default_factory=lambda: iter(()))
    """One entry a request, in the order of arrival; None and its end mean: as it should be."""
    latency_seconds: float = 0.0
    """From a request to its answer; requests overlap."""
    is_bad: Callable[[dict[str, Any]], bool] = lambda row: False
    """Rows that `row_errors` name, whenever they come."""
    refusal: str = f"Field notes: {SECRET} is refused"
    """What `row_errors` say of those."""
    is_poison: Callable[[dict[str, Any]], bool] = lambda row: False
    """Rows that make a request INVALID_ARGUMENT, without a word about which."""
    poison_ends_call: bool = False
    mismatch_ends_call: bool = True
    mismatch_text: str = ""
    """Of a schema that the table does not go with: then without a storage error."""
    cuts_texts: bool = False
    """Whether a text that quotes a value ends in the middle of a character."""
    tells_of_updates: bool = True
    """Whether answers show a schema that has changed."""
    cut: Callable[[], None] = lambda: None
    swallow: Callable[[], None] = lambda: None
    keeps_rows: bool = True
    ends_calls: bool = True
    """Whether a call ends when all of its requests are answered and none will follow."""
    look_up_error: grpc.StatusCode | None = None
    """What a look at a table's columns is answered with."""
    tls: grpc.ServerCredentials | None = None

    tables: dict[str, TableState] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    """Those of the script that came to pass."""
    lost: list[dict[str, Any]] = field(default_factory=list)
    """Rows that were stored by an append whose answer was lost, by script."""
    maybe_lost: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the last appends of a call that broke, whose answers were on their way."""
    open_calls: int = 0
    max_unanswered_bytes: int = 0
    unanswered_bytes: int = 0
    request_sizes: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    first_requests: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> "FaultServer":
        handlers = {
            "AppendRows": grpc.stream_stream_rpc_method_handler(self._append_rows),
            "GetWriteStream": grpc.unary_unary_rpc_method_handler(
                self._get_write_stream,
                types.GetWriteStreamRequest.pb().FromString,
                types.WriteStream.pb().SerializeToString,
            ),
        }
        self._server = grpc.server(
            ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", -1)]
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers),)
        )
        if self.tls is None:
            port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", self.tls)
        self.address = f"127.0.0.1:{port}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()

    def create(self, stream: str, columns: Sequence[Column]) -> TableState:
        """Create a table, by the name of its default stream."""
        self.tables[stream] = TableState(columns)
        return self.tables[stream]

    def _append_rows(self, requests: Iterable[bytes], context: Any) -> Iterator[bytes]:
        """Answer in order; a second thread takes the requests in, so that they overlap."""
        arrived: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()

        def take_in() -> None:
            try:
                for data in requests:
                    with self._lock:
                        self.unanswered_bytes += len(data)
                        self.max_unanswered_bytes = max(
                            self.max_unanswered_bytes, self.unanswered_bytes
                        )
                    arrived.put((time.monotonic() + self.latency_seconds, data))
            except Exception:  # the call has ended
                self.counts["broken_calls"] += 1
            arrived.put(None)

        with self._lock:
            self.counts["calls"] += 1
            self.open_calls += 1
            self.headers.append(dict(context.invocation_metadata()))
        call = _Call(self)
        threading.Thread(target=take_in, daemon=True).start()
        try:
            while (entry := arrived.get()) is not None:
                due, data = entry
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    with self._lock:
                        answers, closes = call.answer(data)
                finally:
                    self.unanswered_bytes -= len(data)
                yield from map(self._cut_text, answers)
                if closes:
                    return
                if call.ending is not None:
                    time.sleep(_MOMENT)
                    raise call.ending
            while not self.ends_calls and context.is_active():
                time.sleep(0.01)
        except CallEnded as ended:
            if ended.status.code == code_pb2.OK:
                return
            self._may_be_lost(call)  # gRPC may drop answers that an error overtakes
            status = self._cut_text(ended.status.SerializeToString())
            detail = _GARBAGE if ended.is_garbled else status
            details = (("grpc-status-details-bin", detail),)
            context.set_trailing_metadata(details)
            codes = {code.value[0]: code for code in grpc.StatusCode}
            context.abort(codes[ended.status.code], ended.status.message)
        finally:
            with self._lock:
                self.open_calls -= 1
            if call.is_left or not context.is_active():  # cut, or cancelled
                self._may_be_lost(call)

    def _cut_text(self, data: bytes) -> bytes:
        return data.replace(SECRET.encode(), _CUT_SECRET) if self.cuts_texts else data

    def _may_be_lost(self, call: "_Call") -> None:
        """Note that the last answers of a call may not have come to the client."""
        with self._lock:
            self.maybe_lost += chain.from_iterable(call.recent)

    def _get_write_stream(self, request: Any, context: Any) -> Any:
        self.headers.append(dict(context.invocation_metadata()))
        if self.look_up_error is not None:
            context.abort(self.look_up_error, SECRET)
        table = self.tables.get(request.name)
        if table is None:
            context.abort(grpc.StatusCode.NOT_FOUND, request.name)
        self.counts["look_ups"] += 1
        shown = table.columns if table.shown is None else table.shown
        return types.WriteStream.pb()(name=request.name, table_schema=table_schema(shown))


class _Call:
    """One AppendRows call: remembers stream and schema from its first request."""

    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self._stream = ""
        self._row_class: Any = None
        self._field_names: list[str] = []
        self._known_columns: Sequence[Column] = ()
        self.recent: deque[list[dict[str, Any]]] = deque(maxlen=_RECENT)
        """The rows of the appends whose answers may still be under way."""
        self.is_left = False
        """Whether an answer has made the client leave: it reads none that follow."""
        self.ending: CallEnded | None = None
        """How the call ends after the answers to this request."""
        self._is_silent = False
        self._is_doubled = False
        self._staying: Fault | None = None

    def answer(self, data: bytes) -> tuple[list[bytes], bool]:
        """The answers to a request, as a rule one, and whether the call closes then."""
        server = self._server
        if self._is_silent:
            return [], False
        server.counts["requests"] += 1
        server.request_sizes.append(len(data))
        if len(data) > MAX_REQUEST_BYTES:
            raise CallEnded(code_pb2.INVALID_ARGUMENT)
        request = Request.FromString(data)
        self._take_header(request)
        table = server.tables.get(self._stream)
        if table is None:
            raise CallEnded(code_pb2.NOT_FOUND, _StorageError.TABLE_NOT_FOUND)
        fault = self._staying
        if fault is None:
            fault = Fault() if self._is_doubled else next(server.script, None) or Fault()
            self._staying = fault if fault.stays else None
        if fault != Fault():
            server.faults[fault] += 1
        self.is_left |= fault.is_empty or fault.is_garbled
        if fault.drops:
            return [], True
        if fault.swallows:
            server.swallow()
        if fault.is_silent or fault.swallows:
            self._is_silent = True
            return [], False
        if fault.is_empty:
            return [b""], False
        if fault.is_garbled and not fault.code:
            return [_GARBAGE], False
        if fault.code and not fault.is_kept and not fault.places:
            if fault.ends_call:
                ended = CallEnded(fault.code, fault.storage_code, fault.text)
                ended.is_garbled = fault.is_garbled
                raise ended
            error = Response(error=_status(fault.code, fault.storage_code, fault.text))
            if fault.is_garbled:
                error.error.details.add(type_url=_STORAGE_ERROR_URL, value=_GARBAGE)
            if fault.repeats:
                self.ending = CallEnded(fault.code, fault.storage_code, fault.text)
            return [error.SerializeToString()], fault.closes
        mismatch = self._check_schema(table)
        if mismatch is not None:
            return [mismatch.SerializeToString()], False
        messages = [
            self._row_class.FromString(row) for row in request.proto_rows.rows.serialized_rows
        ]
        rows = [row_dict(message) for message in messages]
        refused = self._refused(fault, table, messages, rows)
        if refused is not None:
            return [refused.SerializeToString()], False
        if fault.cuts and not fault.is_kept:
            server.cut()
            raise CallEnded(code_pb2.UNAVAILABLE)
        if server.keeps_rows:
            table.rows += rows
        server.counts["rows"] += len(rows)
        self.recent.append(rows)
        if fault.is_kept:
            server.counts["lost_answers"] += 1
            server.lost += rows
            if fault.cuts:
                server.cut()
            raise CallEnded(fault.code, fault.storage_code)
        response = Response(write_stream=self._stream)
        response.append_result.SetInParent()
        if table.columns is not self._known_columns:
            self._known_columns = table.columns
            if server.tells_of_updates:
                response.updated_schema.CopyFrom(table_schema(table.columns))
        self._is_doubled |= fault.is_doubled
        return [response.SerializeToString()] * (2 if fault.is_doubled else 1), fault.closes

    def _take_header(self, request: Any) -> None:
        if request.write_stream:
            self._stream = request.write_stream
            self._server.first_requests.append(request)
        if request.proto_rows.HasField("writer_schema"):
            descriptor = request.proto_rows.writer_schema.proto_descriptor
            self._descriptor = descriptor
            self._row_class = message_class(descriptor)
            if table := self._server.tables.get(self._stream):
                self._known_columns = table.columns
        if not self._stream or self._row_class is None:
            raise CallEnded(code_pb2.INVALID_ARGUMENT)

    def _check_schema(self, table: TableState) -> Any:
        """The refusal of a writer schema that the table does not go with."""
        columns = {column.name: column for column in table.columns}
        for sent in self._descriptor.field:
            column = columns.get(sent.name)
            if column is None:
                text = self._server.mismatch_text
                storage_code = 0 if text else _StorageError.SCHEMA_MISMATCH_EXTRA_FIELDS
                if self._server.mismatch_ends_call:
                    raise CallEnded(code_pb2.INVALID_ARGUMENT, storage_code, text)
                return Response(error=_status(code_pb2.INVALID_ARGUMENT, storage_code, text))
            is_array = sent.label == sent.LABEL_REPEATED
            if sent.type != PROTO_TYPES[column.type] or is_array != (column.mode == "REPEATED"):
                raise CallEnded(code_pb2.INVALID_ARGUMENT)
        return None

    def _refused(
        self, fault: Fault, table: TableState, messages: list[Any], rows: list[dict[str, Any]]
    ) -> Any:
        server = self._server
        if any(map(server.is_poison, rows)):
            if server.poison_ends_call:
                raise CallEnded(code_pb2.INVALID_ARGUMENT)
            return Response(error=_status(code_pb2.INVALID_ARGUMENT))
        response = Response(error=_status(code_pb2.INVALID_ARGUMENT))
        for place, (message, row) in enumerate(zip(messages, rows, strict=True)):
            problem = row_fault(table.columns, message)
            if place in fault.places or server.is_bad(row):
                problem = problem or server.refusal
            if problem:
                response.row_errors.add(index=place, code=1, message=problem)
        return response if response.row_errors else None


def table_schema(columns: Sequence[Column]) -> Any:
    """Columns as the service describes them."""
    schema = types.TableSchema.pb()()
    for column in columns:
        added = schema.fields.add(name=column.name)
        type_name = _TYPE_NAMES.get(column.type, column.type)
        added.type_ = types.TableFieldSchema.Type[type_name].value
        added.mode = types.TableFieldSchema.Mode[column.mode].value
        added.fields.extend(table_schema(column.fields).fields)
    return schema


def _status(code: int, storage_code: int = 0, text: str = "") -> Any:
    status = status_pb2.Status(code=code, message=text or f"row 7 holds {SECRET}")
    if storage_code:
        detail = any_pb2.Any()
        detail.Pack(_StorageError(code=storage_code, entity="table", error_message=SECRET))
        status.details.append(detail)
    return status

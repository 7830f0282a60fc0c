"""What the service answered to one append, and what is to be done about it.

The service's texts are never kept, because they may quote a row.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from itertools import chain, islice, repeat
from typing import Any, Final, NamedTuple

import grpc
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import code_pb2, status_pb2


def _with_texts_as_bytes(*kinds: Any) -> Iterator[Any]:
    """Message classes of the API that read an error's text as it is.

    The service may cut a text that quotes a row in the middle of a character. The classes of the
    API do not read such a message at all, and its rows would be sent again forever.
    """
    pool = descriptor_pool.DescriptorPool()

    def add(file: Any) -> None:
        for dependency in file.dependencies:
            add(dependency)
        copy = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copy)
        for field in chain.from_iterable(message.field for message in copy.message_type):
            if field.name in ("message", "error_message"):
                field.type = field.TYPE_BYTES
        pool.Add(copy)

    for kind in kinds:
        add(kind.DESCRIPTOR.file)
        yield message_factory.GetMessageClass(pool.FindMessageTypeByName(kind.DESCRIPTOR.full_name))


AppendRowsRequest = types.AppendRowsRequest.pb()
AppendRowsResponse, _StorageError, _Status = _with_texts_as_bytes(
    types.AppendRowsResponse.pb(), types.StorageError.pb(), status_pb2.Status
)
_STATUS_DETAILS = "grpc-status-details-bin"
_STORAGE_CODES = types.StorageError.StorageErrorCode
_ROW_CODES = types.RowError.RowErrorCode

CONNECTION_CLOSED: Final = "CONNECTION_CLOSED"
"""The reason of an append that was unanswered when the service closed the connection."""
UNREADABLE: Final = "UNREADABLE_ANSWER"
"""The reason of the appends of a call whose answer, or whose end, could not be read."""
IN_EXCESS: Final = "ANSWERS_IN_EXCESS"
"""The reason of the appends of a call that was answered more often than it had requests."""
SILENT: Final = "NO_ANSWER"
"""The reason of the appends of a call on which nothing was answered for too long."""
LACKING: Final = "SCHEMA_MISMATCH_EXTRA_FIELDS"
"""The storage error of a schema with columns that the table lacks."""
SCHEMA_LAGS: Final = "SCHEMA_LAGS"
"""The reason of an append whose schema is refused by a known text, without a storage error."""


class RowFault(NamedTuple):
    """One row that the service refuses."""

    place: int
    """Which row of the request it is, from 0."""
    code: str
    """Its error code: `row_` and the service's own code in lower case."""
    column: str
    """The column at fault, if it could be told; else empty."""


class Answer(NamedTuple):
    """What became of one append."""

    reason: str = "OK"
    """The storage error's name, else that of the gRPC status."""
    code: int = code_pb2.OK
    row_faults: tuple[RowFault, ...] = ()
    sure: bool = True
    """Whether it concerns this very append, and not another that shared the connection."""


class NoOutcome(Exception):
    """A response that says neither that rows were stored nor why they were not."""


class Remedy(Enum):
    """What to do with the rows of an append."""

    DONE = auto()
    DROP_ROWS = auto()
    """Reject the rows that are named, append the others."""
    BISECT = auto()
    """Something in it is wrong: append its halves, until the bad rows stand alone."""
    REFRESH_SCHEMA = auto()
    """The table lacks columns: check again, then retry."""
    RETRY = auto()


_UNNAMED: Final = frozenset({"", "STORAGE_ERROR_CODE_UNSPECIFIED"})
_LAGGING_TEXT: Final = re.compile(
    r"input schema has more fields than bigquery schema|extra proto fields|"
    r"extra fields in user schema",
    re.I,
)
"""The service's text for a column that it does not know yet, often without a storage error."""

ADVICE: Final = {
    "TABLE_NOT_FOUND": "the table is missing; recreate it, and the rows will be written",
    "NOT_FOUND": "the table is missing; recreate it, and the rows will be written",
    "PERMISSION_DENIED": "the worker's service account lacks roles/bigquery.dataEditor",
    "UNAUTHENTICATED": "the worker has no valid credentials",
    "RESOURCE_EXHAUSTED": "a quota is exhausted",
    "KMS_PERMISSION_DENIED": "BigQuery's service account is not allowed to use the table's KMS key",
    LACKING: "the table is missing columns that the rows have",
    SCHEMA_LAGS: "a new column is not visible to the write path yet; it can take several minutes",
    UNREADABLE: "a response from the service could not be read",
    IN_EXCESS: "the service sent more responses than there were requests",
    SILENT: "the connection was silent for too long and is being reopened",
}
"""What an operator should know about a reason; other reasons are self-explanatory."""


def remedy_for(answer: Answer) -> Remedy:
    """What to do about an answer. An error is retried unless it is known to be caused by the
    rows."""
    if answer.code == code_pb2.OK:
        return Remedy.DONE
    if answer.row_faults:
        return Remedy.DROP_ROWS
    if answer.reason in (LACKING, SCHEMA_LAGS):
        return Remedy.REFRESH_SCHEMA
    if answer.code == code_pb2.INVALID_ARGUMENT and answer.reason == "INVALID_ARGUMENT":
        return Remedy.BISECT
    return Remedy.RETRY


def answer_of(response: Any, columns: "ColumnFinder") -> Answer:
    """The answer in a response of a call that goes on.

    Raises:
        NoOutcome: it has neither result nor error.
        google.protobuf.message.DecodeError: a detail of its error does not parse.
    """
    if not response.HasField("error") and not response.row_errors:
        if not response.HasField("append_result"):
            raise NoOutcome
        return Answer()
    # An error without a code is not known to be the rows' fault.
    unnamed = code_pb2.INVALID_ARGUMENT if response.row_errors else code_pb2.UNKNOWN
    code = response.error.code or unnamed
    faults = tuple(
        RowFault(
            error.index,
            f"row_{_name(_ROW_CODES, error.code)}",
            columns.find(_text(error.message)),
        )
        for error in response.row_errors
    )
    return Answer(_reason(code, response.error), code, faults)


def unsure(reason: str) -> Answer:
    """That nothing is known of what became of an append."""
    return Answer(reason, code_pb2.UNAVAILABLE, sure=False)


def answers_of_ended_call(error: Exception | None, count: int, alone: bool) -> Iterator[Answer]:
    """The answers to the appends that were unanswered when their call ended.

    Args:
        error: how it ended, or what reading it raised; None if the service closed it in peace.
        count: of the appends, in the order in which they were sent.
        alone: whether the first was sent with nothing else in flight.
    """
    closed = unsure(CONNECTION_CLOSED)
    if error is None or (isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.OK):
        first = others = closed
    else:
        try:
            first = _answer_of_end(error, alone)
        except Exception:  # nothing that a service sends may keep an append without its answer
            first = unsure(UNREADABLE)
        # The service answers in order: what it could not stand is most likely the first.
        others = closed if remedy_for(first) is Remedy.BISECT else first
    yield from islice(chain([first], repeat(others)), count)


def _answer_of_end(error: Exception, alone: bool) -> Answer:
    if not isinstance(error, grpc.Call):
        raise error
    code = int(error.code().value[0])
    status = _Status()
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS:
            status.ParseFromString(value)
    if error.details():
        status.message = error.details().encode()
    return Answer(_reason(code, status), code, sure=alone)


class ColumnFinder:
    """Finds the column that a row error is about, by our own list of columns."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower(): name for name in names}
        longest_first = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._pattern = re.compile(
            rf"\b(?:field|column)s?\W{{1,3}}(?:\w{{1,64}}\.)?({'|'.join(longest_first)})\b",
            # ASCII: else a row's own text may match a name that is not ours once in lower case.
            re.I | re.A,
        )

    def find(self, text: str) -> str:
        """The column that the service's text calls one; empty if it calls none."""
        match = self._pattern.search(text)
        return self._names[match[1].lower()] if match else ""


def _reason(code: int, status: Any) -> str:
    for detail in status.details:
        if detail.Is(_StorageError.DESCRIPTOR):
            storage_error = _StorageError.FromString(detail.value)
            name = _name(_STORAGE_CODES, storage_error.code).upper()
            if name not in _UNNAMED:
                return name
    if code == code_pb2.INVALID_ARGUMENT and _LAGGING_TEXT.search(_text(status.message)):
        return SCHEMA_LAGS
    return str(code_pb2.Code.Name(code)) if code in code_pb2.Code.values() else "UNKNOWN"


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _name(codes: Any, code: int) -> str:
    try:
        return str(codes(code).name).lower()
    except ValueError:
        return "unknown"

"""What the service answered to one append, and what is to be done about it.

The texts of the service are never kept: they may hold what was in a row.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from itertools import chain, islice, repeat
from typing import Any, Final, NamedTuple

import grpc
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2, status_pb2

AppendRowsRequest = types.AppendRowsRequest.pb()
AppendRowsResponse = types.AppendRowsResponse.pb()
_StorageError = types.StorageError.pb()
_STATUS_DETAILS = "grpc-status-details-bin"
_STORAGE_CODES = types.StorageError.StorageErrorCode
_ROW_CODES = types.RowError.RowErrorCode

CONNECTION_CLOSED = "CONNECTION_CLOSED"
"""The reason of an append that was unanswered when the service closed the connection."""


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


class Remedy(Enum):
    """What to do with the rows of an append."""

    DONE = auto()
    DROP_ROWS = auto()
    """Reject the rows that are named, append the others."""
    BISECT = auto()
    """Something in it is wrong: append its halves, until the bad rows stand alone."""
    REFRESH_SCHEMA = auto()
    """The table lacks columns: look again, and try again."""
    RETRY = auto()


_UNNAMED: Final = frozenset({"", "STORAGE_ERROR_CODE_UNSPECIFIED"})

ADVICE: Final = {
    "TABLE_NOT_FOUND": "the table is missing: create it again, and the rows will follow",
    "NOT_FOUND": "the table is missing: create it again, and the rows will follow",
    "PERMISSION_DENIED": "the worker's account may not append (roles/bigquery.dataEditor)",
    "UNAUTHENTICATED": "the worker has no valid credentials",
    "RESOURCE_EXHAUSTED": "a quota is exhausted",
    "KMS_PERMISSION_DENIED": "BigQuery's account may not use the table's key",
    "SCHEMA_MISMATCH_EXTRA_FIELDS": "the table lacks columns that the rows have",
}
"""Reason to what an operator should know; of other reasons the name says it all."""


def remedy_for(answer: Answer) -> Remedy:
    """What to do about an answer. What is not known to be the rows' fault is tried again."""
    if answer.code == code_pb2.OK:
        return Remedy.DONE
    if answer.row_faults:
        return Remedy.DROP_ROWS
    if answer.reason == "SCHEMA_MISMATCH_EXTRA_FIELDS":
        return Remedy.REFRESH_SCHEMA
    if answer.code == code_pb2.INVALID_ARGUMENT and answer.reason == "INVALID_ARGUMENT":
        return Remedy.BISECT
    return Remedy.RETRY


def answer_of(response: Any, columns: "ColumnFinder") -> Answer:
    """The answer in a response of a call that goes on."""
    if not response.HasField("error") and not response.row_errors:
        return Answer()
    code = response.error.code or code_pb2.INVALID_ARGUMENT
    faults = tuple(
        RowFault(error.index, f"row_{_name(_ROW_CODES, error.code)}", columns.find(error.message))
        for error in response.row_errors
    )
    return Answer(_reason(code, response.error.details), code, faults)


def answers_of_ended_call(error: grpc.RpcError | None, count: int, alone: bool) -> Iterator[Answer]:
    """The answers to the appends that were unanswered when their call ended.

    Args:
        error: how it ended; None if the service closed it in peace.
        count: of the appends, in the order in which they were sent.
        alone: whether the first was sent with nothing else in flight.
    """
    closed = Answer(CONNECTION_CLOSED, code_pb2.UNAVAILABLE, sure=False)
    if not isinstance(error, grpc.Call) or error.code() is grpc.StatusCode.OK:
        yield from repeat(closed, count)
        return
    code = int(error.code().value[0])
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS:
            status.ParseFromString(value)
    first = Answer(_reason(code, status.details), code, sure=alone)
    # The service answers in order: what it could not stand is most likely the first.
    others = closed if remedy_for(first) is Remedy.BISECT else first
    yield from islice(chain([first], repeat(others)), count)


class ColumnFinder:
    """Finds the column that a row error is about, by our own list of columns."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower(): name for name in names}
        longest_first = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._pattern = re.compile(
            rf"\b(?:field|column)s?\W{{1,3}}(?:\w{{1,64}}\.)?({'|'.join(longest_first)})\b", re.I
        )

    def find(self, text: str) -> str:
        """The column that the service's text calls one; empty if it calls none."""
        match = self._pattern.search(text)
        return self._names[match[1].lower()] if match else ""


def _reason(code: int, details: Any) -> str:
    for detail in details:
        if detail.Is(_StorageError.DESCRIPTOR):
            storage_error = _StorageError.FromString(detail.value)
            name = _name(_STORAGE_CODES, storage_error.code).upper()
            if name not in _UNNAMED:
                return name
    return str(code_pb2.Code.Name(code)) if code in code_pb2.Code.values() else "UNKNOWN"


def _name(codes: Any, code: int) -> str:
    try:
        return str(codes(code).name).lower()
    except ValueError:
        return "unknown"

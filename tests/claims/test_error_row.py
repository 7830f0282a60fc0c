"""Every message can be had back from its error row, or as much of it as a row can hold."""

import pickle
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims_ops.replay.message import message_data
from pipeline.claims.error_row import RAW_LIMIT, TEXT_LIMIT, error_row, raw_columns
from pipeline.claims.history import ORIGINAL_MESSAGE_ID, ORIGINAL_PUBLISH_TIME, REPLAY_COUNT
from pipeline.claims.message import Beginning, Message
from pipeline.claims.rejection import Rejection, Violation
from pipeline.claims.tables import ERROR_COLUMNS
from tests.support.claims.core import NOW
from tests.support.claims.strategies import BUDGET

REJECTION = Rejection("validate", "schema_violation", "a: b", (Violation("a", "type", "b"),), "C-1")
SAME_FOR_ALL = {"contract_version", "pipeline_version"}


def noise(size: int) -> bytes:
    return Random(size).randbytes(size)


@pytest.mark.parametrize(
    ("make", "column", "encoding"),
    [
        (lambda: b"", "raw_message", "identity"),
        (lambda: "{\u20ac\0".encode(), "raw_message", "identity"),
        (lambda: b"\xff", "raw_bytes", "identity"),
        (lambda: b"a" * TEXT_LIMIT, "raw_message", "identity"),
        (lambda: b"a" * (TEXT_LIMIT - 1) + b"\xff", "raw_bytes", "identity"),
        (lambda: b"a" * (TEXT_LIMIT + 1), "raw_bytes", "gzip"),
        (lambda: b"a" * (9 << 20), "raw_bytes", "gzip"),
        (lambda: noise(TEXT_LIMIT + 1), "raw_bytes", "gzip"),
        (lambda: noise(RAW_LIMIT), "raw_bytes", "identity"),
        (lambda: noise(RAW_LIMIT + 1), "raw_bytes", "truncated"),
        (lambda: noise(10 << 20), "raw_bytes", "truncated"),
    ],
)
def test_message_comes_back(make: Callable[[], bytes], column: str, encoding: str) -> None:
    data = make()
    columns = raw_columns(data)
    assert columns.keys() == {column, "raw_encoding"}
    assert columns["raw_encoding"] == encoding
    assert len(columns[column]) <= (TEXT_LIMIT if column == "raw_message" else RAW_LIMIT)
    sized = columns | {"raw_size": len(data)}
    assert message_data(sized) == (None if encoding == "truncated" else data)
    if encoding == "truncated":
        assert columns["raw_bytes"] == data[:RAW_LIMIT]


@pytest.mark.parametrize("kept", [1, RAW_LIMIT + 1])
def test_beginning_is_no_message_but_tells_its_size(kept: int) -> None:
    row = error_row(Message(Beginning(b"a" * kept, 1 << 40)), REJECTION, NOW)
    assert (row["raw_encoding"], row["raw_size"]) == ("truncated", 1 << 40)
    assert row["raw_bytes"] == b"a" * min(kept, RAW_LIMIT)
    assert message_data(row) is None


def test_beginning_stays_one_between_workers() -> None:
    message = pickle.loads(pickle.dumps(Message(Beginning(b"a", 7))))
    assert isinstance(message.data, Beginning)
    assert (message.data, message.data.whole_size) == (b"a", 7)


def test_packing_is_the_same_each_time() -> None:
    assert raw_columns(b"a" * (TEXT_LIMIT + 1)) == raw_columns(b"a" * (TEXT_LIMIT + 1))


@BUDGET
@given(st.binary(max_size=300))
def test_any_small_message_comes_back(data: bytes) -> None:
    columns = raw_columns(data) | {"raw_size": len(data)}
    assert message_data(columns) == data
    as_read = {"raw_message": None, "raw_bytes": None, **columns}  # a query gives nulls too
    assert message_data(as_read) == data


def test_row_has_the_columns_of_the_table() -> None:
    message = Message(b"\xff", "7", "2026-11-23T00:00:00Z", {"b": "2", "a": "1"})
    row = error_row(message, REJECTION, NOW)
    expected = {column.name for column in ERROR_COLUMNS} - SAME_FOR_ALL - {"raw_message"}
    assert row.keys() == expected
    assert row["error_timestamp"] == NOW
    assert (row["stage"], row["error_code"], row["error"]) == REJECTION[:3]
    assert row["violations"] == [{"field": "a", "rule": "type", "message": "b"}]
    assert (row["claim_id"], row["raw_size"], row["replay_count"]) == ("C-1", 1, 0)
    assert (row["message_id"], row["publish_time"]) == ("7", "2026-11-23T00:00:00Z")
    assert row["original_message_id"] is None
    assert row["attributes"] == [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]


def test_row_of_a_replay_tells_its_history() -> None:
    attributes = {
        REPLAY_COUNT: "2",
        ORIGINAL_MESSAGE_ID: "5",
        ORIGINAL_PUBLISH_TIME: "2026-11-22T12:00:00+00:00",
    }
    row = error_row(Message(b"", "7", "2026-11-23T00:00:00Z", attributes), REJECTION, NOW)
    assert (row["message_id"], row["original_message_id"], row["replay_count"]) == ("7", "5", 2)
    assert row["publish_time"] == "2026-11-22T12:00:00+00:00"
    assert len(row["attributes"]) == 3


def test_message_without_attributes() -> None:
    row = error_row(Message(b""), REJECTION, NOW)
    assert (row["attributes"], row["replay_count"], row["message_id"]) == ([], 0, None)

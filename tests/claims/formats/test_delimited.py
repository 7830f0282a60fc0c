"""CSV files as they come: rows as objects of text, and what is wrong with the others."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.claims.formats import delimited
from pipeline.claims.formats.delimited import Dialect, read
from pipeline.claims.message import Beginning, Message, Unreadable

HEADER = b"a,b\n"


def rows(data: bytes, *dialect: str) -> list[Any]:
    """Of each row its object, or why it has none."""
    return [
        message.data.error_code
        if isinstance(message.data, Unreadable)
        else json.loads(message.data)
        for message in read(io.BytesIO(data), "f", Dialect(*dialect))
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEADER + b"1,2\n3,4", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        (b"\xef\xbb\xbfa,b\r\n1,\r\n\r\n", [{"a": "1", "b": ""}]),
        (HEADER + b'"x\ny","q""q"\n', [{"a": "x\ny", "b": 'q"q'}]),
        (HEADER + b"1\n1,2,3\n1,2\n", ["ragged_row", "ragged_row", {"a": "1", "b": "2"}]),
        (HEADER + b'"a"b,2\n1,2\n', ["malformed_csv", {"a": "1", "b": "2"}]),
        (HEADER + b'\xff,"x\ny"\n1,2\n', ["invalid_encoding", {"a": "1", "b": "2"}]),
        (HEADER + b'1,2\n1,"open\n3,4\n', [{"a": "1", "b": "2"}, "damaged_file"]),
        (b"a,a\n1,2\n", ["invalid_header"]),
        (b"a;b\n1;2\n", ["invalid_header"]),
        (b"a," + b"b" * 301 + b"\n1,2\n", ["invalid_header"]),  # each row would repeat it
        (b"a," + b"b" * 300 + b"\n1,2\n", [{"a": "1", "b" * 300: "2"}]),
        (b"", []),
        (HEADER, []),
    ],
)
def test_rows(data: bytes, expected: list[Any]) -> None:
    assert rows(data) == expected


@pytest.mark.parametrize("delimiter", ["|", ";", "\t"])
def test_delimiters(delimiter: str) -> None:
    data = f"a{delimiter}b\n1,5{delimiter}2\n".encode()
    assert rows(data, delimiter) == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize("encoding", delimited.ENCODINGS)
def test_encodings(encoding: str) -> None:
    data = "a,b\nMüller,2\n".encode(delimited.ENCODINGS[encoding])
    assert rows(data, ",", encoding) == [{"a": "Müller", "b": "2"}]


def test_places() -> None:
    data = b'\xef\xbb\xbfa,b\n"x\ny",1\n\nragged\n3,4\n'
    messages = list(read(io.BytesIO(data), "gs://b/f.csv", Dialect()))
    starts = [data.index(start) for start in (b'"x', b"ragged", b"3,4")]
    assert [message.message_id for message in messages] == [f"gs://b/f.csv:{at}" for at in starts]
    assert [message.attributes for message in messages] == [
        {"line": line} for line in ("2", "5", "6")
    ]
    assert messages[1].data == b"ragged\n"


def test_a_row_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_ROW_BYTES", 1_000)
    data = HEADER + b'1,2\n1,"' + b"open\n" * 1_000
    messages = list(read(io.BytesIO(data), "f", Dialect()))
    assert messages[0] == Message(b'{"a":"1","b":"2"}', "f:4", None, {"line": "2"})
    assert isinstance(messages[1].data, Beginning)
    assert messages[1].data.error_code == "damaged_file"
    assert len(messages) == 2 and len(messages[1].data) <= 1_000


@pytest.mark.parametrize("cell", [b"x" * 5_000, b'"' + b'""' * 2_500 + b'"', b"x" * 990])
def test_behind_a_row_that_is_too_large_the_next_one_is_read(
    cell: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that followed it was lost."""
    monkeypatch.setattr(delimited, "MAX_ROW_BYTES", 1_000)
    large = b"1," + cell + b"," * 10
    data = HEADER + large + b"\n3,4\n" + large
    first, second, third = read(io.BytesIO(data), "f", Dialect())
    for message in (first, third):
        assert isinstance(message.data, Beginning)
        assert message.data.error_code == "message_too_large"
    assert first.data.whole_size == len(large) + 1  # type: ignore[attr-defined]
    assert len(first.data) <= 1_001
    assert second == Message(b'{"a":"3","b":"4"}', f"f:{data.index(b'3,4')}", None, {"line": "3"})


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_every_written_row_is_read(table: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    written = [",".join(map(quoted, row)) for row in [("a", "b"), *table]]
    data = "\n".join(written).encode("utf-8", "surrogatepass")
    if "\ud800" <= max("".join(written)) <= "\udfff":
        return
    expected = [{"a": a, "b": b} for a, b in table]
    assert rows(data) == expected


def test_a_row_of_many_lines_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote that is never closed took 760 MB, until the row was too long."""
    monkeypatch.setattr(delimited, "MAX_ROW_BYTES", 500_000)
    data = HEADER + b'"' + b"x\n" * 300_000
    tracemalloc.start()
    try:
        assert rows(data) == ["damaged_file"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000

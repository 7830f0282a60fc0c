"""Lines of files: however a file is cut, each line is read once, with its place."""

import bz2
import gzip
from pathlib import Path

import pytest

from pipeline.claims.message import Message
from pipeline.transforms import lines
from pipeline.transforms.lines import LineRange, read_lines, split

TEXT = b'{"a": 1}\n\n{"b": "\xc3\xa4"}\r\n\xff\n{"c": 3}'
LINES = [(0, b'{"a": 1}'), (9, b""), (10, b'{"b": "\xc3\xa4"}'), (23, b"\xff"), (25, b'{"c": 3}')]


def messages(path: Path) -> list[Message]:
    return [Message(line, f"{path}:{place}") for place, line in LINES]


@pytest.mark.parametrize("size", range(1, len(TEXT) + 2))
def test_cut_anywhere(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "RANGE_BYTES", size)
    path = tmp_path / "claims.ndjson"
    path.write_bytes(TEXT)
    ranges = list(split(str(path), len(TEXT)))
    assert len(ranges) == -(-len(TEXT) // size)
    assert [message for part in ranges for message in read_lines(part)] == messages(path)


@pytest.mark.parametrize(
    "suffix, packed", [("gz", gzip.compress(TEXT)), ("bz2", bz2.compress(TEXT))]
)
def test_compressed_file_stays_whole(suffix: str, packed: bytes, tmp_path: Path):
    path = tmp_path / f"claims.{suffix}"
    path.write_bytes(packed)
    assert list(split(str(path), 1 << 40)) == [LineRange(str(path), 0, None)]
    assert list(read_lines(LineRange(str(path), 0, None))) == messages(path)


def test_empty_file_has_no_range():
    assert list(split("claims.ndjson", 0)) == []

"""Lines of files: however a file is cut, each line is read once, with its place."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import zstandard

from pipeline.claims.formats import compression, json_lines
from pipeline.claims.message import Beginning, Message
from pipeline.transforms import lines
from pipeline.transforms.lines import LineRange, read_lines, split
from pipeline.transforms.source_files import SourceFile

TEXT = b'{"a": 1}\n\n{"b": "\xc3\xa4"}\r\n\xff\n{"c": 3}'
LINES = [(0, b'{"a": 1}'), (9, b""), (10, b'{"b": "\xc3\xa4"}'), (23, b"\xff"), (25, b'{"c": 3}')]


def messages(path: Path) -> list[Message]:
    return [Message(line, f"{path}#7:{place}") for place, line in LINES]


def ranges_of(path: Path, size: int) -> list[LineRange]:
    return list(split(SourceFile(str(path), size, "7")))


@pytest.mark.parametrize("size", range(1, len(TEXT) + 2))
def test_cut_anywhere(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "RANGE_BYTES", size)
    path = tmp_path / "claims.ndjson"
    path.write_bytes(TEXT)
    ranges = ranges_of(path, len(TEXT))
    assert len(ranges) == -(-len(TEXT) // size)
    assert [message for part in ranges for message in read_lines(part)] == messages(path)


@pytest.mark.parametrize(
    "suffix, packed", [("gz", gzip.compress(TEXT, mtime=0)), ("bz2", bz2.compress(TEXT))]
)
def test_compressed_file_stays_whole(suffix: str, packed: bytes, tmp_path: Path):
    path = tmp_path / f"claims.{suffix}"
    path.write_bytes(packed)
    assert ranges_of(path, 1 << 40) == [LineRange(str(path), 0, None, "7")]
    assert list(read_lines(LineRange(str(path), 0, None, "7"))) == messages(path)


@pytest.mark.parametrize(
    "text, lines_of_it",
    [
        (b"x\r\r\r\n", [b"x\r\r"]),
        (b"\r\n\r\r\n\n", [b"", b"\r", b""]),
        (b"x\r", [b"x\r"]),
        (b"x\ry\n\x0b\n\x85", [b"x\ry", b"\x0b", b"\x85"]),
        (b" x \t\n", [b" x \t"]),
    ],
)
def test_nothing_but_the_line_break_is_taken_off(text: bytes, lines_of_it: list[bytes], tmp_path):
    path = tmp_path / "claims.ndjson"
    path.write_bytes(text)
    [one] = ranges_of(path, len(text))
    assert [message.data for message in read_lines(one)] == lines_of_it


def test_empty_file_has_no_range():
    assert ranges_of(Path("claims.ndjson"), 0) == []


LONG = b"12345\r\n123456\n1234567\n\n12345678901234567890\n123456\r\nab\n1234567890"
"""With a limit of 6 bytes: lines that reach it, are beyond it, and the last without a line feed."""
CUT = [
    (0, b"12345", None),
    (7, b"123456", None),
    (14, b"123456", 7),
    (22, b"", None),
    (23, b"123456", 20),
    (44, b"123456", 7),  # the carriage return counts until the line is known to be whole
    (52, b"ab", None),
    (55, b"123456", 10),
]


def told(parts: list[LineRange]) -> Iterator[tuple[int, bytes, int | None]]:
    for part in parts:
        for data, message_id, *_ in read_lines(part):
            whole_size = data.whole_size if isinstance(data, Beginning) else None
            yield int(str(message_id).rpartition(":")[2]), data, whole_size


@pytest.mark.parametrize("buffer", [2, 3, 1 << 20])
@pytest.mark.parametrize("size", range(1, len(LONG) + 2))
def test_long_line_is_one_message_however_a_file_is_cut(
    size: int, buffer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", 6)
    monkeypatch.setattr(lines, "RANGE_BYTES", size)
    monkeypatch.setattr(json_lines, "_BUFFER_BYTES", buffer)
    path = tmp_path / "claims.ndjson"
    path.write_bytes(LONG)
    assert list(told(ranges_of(path, len(LONG)))) == CUT


@pytest.mark.parametrize("suffix, pack", [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_compression_bomb_is_a_line_in_bounded_memory(suffix: str, pack, tmp_path: Path):
    path, million = tmp_path / f"claims.{suffix}", 1_000_000
    size = 200 * million
    # Files one after the other are a file; 200 MB in 200 kB.
    path.write_bytes(pack(b"{}\n") + pack(bytes(million)) * 200 + pack(b"\n[]\n"))
    tracemalloc.start()
    try:
        found = list(told([LineRange(str(path), 0, None, "7")]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [
        (0, b"{}", None),
        (3, bytes(json_lines.MAX_LINE_BYTES), size),
        (3 + size + 1, b"[]", None),
    ]
    assert peak < 4 * json_lines.MAX_LINE_BYTES


PIECES = [b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b"\x85", b"\x0b", b"\x1a", b'"', b"{}"]
PIECES += [text.encode() for text in ("\ufeff", "\u2028", "a", "ä")]
PACKERS = [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, zlib.compress]


def by_line_feeds(data: bytes, most: int) -> Iterator[tuple[int, bytes, int | None]]:
    """What `told` is to give, in the plainest way."""
    place = 0
    for whole in data.split(b"\n"):
        has_end = place + len(whole) < len(data)
        if has_end or whole:
            line = whole.removesuffix(b"\r") if has_end else whole
            is_long = len(whole) > most
            yield place, whole[:most] if is_long else line, len(whole) if is_long else None
        place += len(whole) + 1


@pytest.mark.parametrize("seed", range(100))
def test_random_files(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rng, path = Random(seed), tmp_path / "claims.ndjson"
    data = b"".join(rng.choices(PIECES, k=rng.randint(1, 60)))
    most = rng.choice([1, 3, 6, 1_000])
    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", most)
    monkeypatch.setattr(json_lines, "_BUFFER_BYTES", rng.randint(1, 9))
    monkeypatch.setattr(lines, "RANGE_BYTES", rng.randint(1, len(data) + 1))
    monkeypatch.setattr(compression, "_PLAIN_BYTES", rng.choice([16, 17, 1 << 20]))
    monkeypatch.setattr(compression, "_UNPACKED_BYTES", rng.choice([1, 2, 5, 1 << 16]))
    monkeypatch.setattr(compression, "_STEP_BYTES", rng.choice([1, 2, 7, 1 << 10]))
    cuts = sorted(rng.choices(range(len(data) + 1), k=rng.randint(0, 3)))
    streams = [data[start:stop] for start, stop in pairwise([0, *cuts, len(data)])]
    for stored in (data, *(b"".join(map(pack, streams)) for pack in PACKERS)):
        path.write_bytes(stored)
        found = list(told(ranges_of(path, len(stored))))
        assert found == list(by_line_feeds(data, most))


def test_range_within_a_long_line_reads_no_further(monkeypatch: pytest.MonkeyPatch):
    """Else each range of a file that is one line would read the file to its end."""
    read = []

    class File(io.BytesIO):
        def readinto(self, buffer):
            read.append(super().readinto(buffer))
            return read[-1]

    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", 6)
    monkeypatch.setattr(json_lines, "_BUFFER_BYTES", 4)
    monkeypatch.setattr(compression, "_PLAIN_BYTES", 4)
    monkeypatch.setattr(lines, "_open", lambda path: File(b"x" * 1_000))
    assert list(read_lines(LineRange("claims.ndjson", 100, 120, "7"))) == []
    assert 20 < sum(read) < 20 + 6 + 3 * 4

"""Lines of files: cut into ranges, and read from them as messages."""

import bz2
import gzip
import io
import sys
from collections.abc import Iterator
from functools import partial
from typing import IO, Any, NamedTuple, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.claims.message import Beginning, Message
from pipeline.transforms.source_files import SourceFile

RANGE_BYTES = 64 << 20
"""What one worker reads of a file at a time."""
MAX_LINE_BYTES = 10 << 20
"""No message of Pub/Sub is larger. Of a longer line no more than this is kept: a compression bomb
may be one line."""
_BUFFER_BYTES = 1 << 20
_UNPACKED_BYTES = 1 << 16
_COMPRESSED = (".gz", ".bz2")


class LineRange(NamedTuple):
    """The lines of a file whose first byte lies in [start, stop)."""

    path: str
    start: int
    stop: int | None
    """None: the end of the file."""
    version: str
    """That of the file."""


def split(file: SourceFile) -> Iterator[LineRange]:
    """Cut a file; a compressed one stays whole."""
    path, size, version = file
    if path.endswith(_COMPRESSED):
        yield LineRange(path, 0, None, version)
    else:
        for start in range(0, size, RANGE_BYTES):
            yield LineRange(path, start, min(start + RANGE_BYTES, size), version)


def _open(path: str) -> IO[bytes]:
    return cast(IO[bytes], FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))


def _unpacked(path: str, file: IO[bytes]) -> IO[bytes]:
    # Beam's own decompression reads line by line in Python, and so do Python's unpackers.
    if path.endswith(".gz"):
        return _buffered(gzip.GzipFile(fileobj=file), _UNPACKED_BYTES)
    if path.endswith(".bz2"):
        return _buffered(bz2.BZ2File(file), _UNPACKED_BYTES)
    return _buffered(file, _BUFFER_BYTES)


def _buffered(file: Any, size: int) -> IO[bytes]:
    return io.BufferedReader(file, size)


def read_lines(lines: LineRange) -> Iterator[Message]:
    """Each line of the range as a message: its bytes without the line break, LF or CRLF.

    Its id is `file#version:offset`, the offset being that of its first byte. The data of a line
    that is longer than `MAX_LINE_BYTES` is its `Beginning`.
    """
    stop = sys.maxsize if lines.stop is None else lines.stop
    prefix = f"{lines.path}#{lines.version}:"
    # Closing what unpacks a file leaves the file itself open.
    with _open(lines.path) as packed, _unpacked(lines.path, packed) as file:
        place = _first_line(file, lines.start, stop) if lines.start else 0
        for line in iter(partial(file.readline, MAX_LINE_BYTES + 1), b""):
            if place >= stop:
                break
            size = len(line)
            if size > MAX_LINE_BYTES and not line.endswith(b"\n"):
                beginning, size = _beginning(line, file)
                yield Message(beginning, f"{prefix}{place}")
            else:
                data = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
                yield Message(data, f"{prefix}{place}")
            place += size


def _first_line(file: IO[bytes], start: int, stop: int) -> int:
    """Go to the first line that begins in [start, stop), and return where that is.

    The range before has the line that reaches into this one. If that goes on beyond `stop`, so
    does the returned place.
    """
    place = start - 1
    file.seek(place)
    while place < stop and (part := file.readline(_BUFFER_BYTES)):
        place += len(part)
        if part.endswith(b"\n"):
            break
    return place


def _beginning(first: bytes, file: IO[bytes]) -> tuple[Beginning, int]:
    """The line that begins with `first`, and its bytes in the file, line feed included."""
    size, part = len(first), first
    while not part.endswith(b"\n") and (part := file.readline(_BUFFER_BYTES)):
        size += len(part)
    return Beginning(first[:MAX_LINE_BYTES], size - part.endswith(b"\n")), size

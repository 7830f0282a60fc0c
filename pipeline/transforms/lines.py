"""Lines of files: cut into ranges, and read from them as messages."""

import bz2
import gzip
import io
from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.claims.message import Message

RANGE_BYTES = 64 << 20
"""What one worker reads of a file at a time."""
_BUFFER_BYTES = 1 << 20
_COMPRESSED = (".gz", ".bz2")


class LineRange(NamedTuple):
    """The lines of a file whose first byte lies in [start, stop)."""

    path: str
    start: int
    stop: int | None
    """None: the end of the file."""


def split(path: str, size: int) -> Iterator[LineRange]:
    """Cut a file of `size` bytes; a compressed one stays whole."""
    if path.endswith(_COMPRESSED):
        yield LineRange(path, 0, None)
    else:
        for start in range(0, size, RANGE_BYTES):
            yield LineRange(path, start, min(start + RANGE_BYTES, size))


def _open(path: str) -> IO[bytes]:
    return cast(IO[bytes], FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))


def _unpacked(path: str, file: IO[bytes]) -> IO[bytes]:
    # Beam's own decompression reads line by line in Python.
    if path.endswith(".gz"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if path.endswith(".bz2"):
        return bz2.BZ2File(file)
    return io.BufferedReader(cast(io.RawIOBase, file), _BUFFER_BYTES)


def read_lines(lines: LineRange) -> Iterator[Message]:
    """Each line of the range as a message, with file and offset of its first byte as its id."""
    # Closing what unpacks a file leaves the file itself open.
    with _open(lines.path) as packed, _unpacked(lines.path, packed) as file:
        place = lines.start
        if place:
            # The range before ours has the line that reaches into it.
            file.seek(place - 1)
            place += len(file.readline()) - 1
        for line in file:
            if lines.stop is not None and place >= lines.stop:
                break
            yield Message(line.rstrip(b"\r\n"), f"{lines.path}:{place}")
            place += len(line)

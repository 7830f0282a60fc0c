"""Newline-delimited JSON: each line of a file is a message."""

import sys
from collections.abc import Iterator
from functools import partial
from typing import IO

from pipeline.claims.formats.compression import DamagedError
from pipeline.claims.formats.unreadable import unreadable
from pipeline.claims.message import Beginning, Message

MAX_LINE_BYTES = 10 << 20
"""No message of Pub/Sub is larger. Of a longer line no more than this is kept: a compression bomb
may be one line."""
_BUFFER_BYTES = 1 << 20


def read(file: IO[bytes], name: str, start: int = 0, stop: int | None = None) -> Iterator[Message]:
    """Each line whose first byte lies in [start, stop): its bytes without the break, LF or CRLF.

    Its id is `name:offset`, the offset being that of its first byte. The data of a line that is
    longer than `MAX_LINE_BYTES` is its `Beginning`, and so is that of what cannot be unpacked.
    """
    stop = sys.maxsize if stop is None else stop
    place = _first_line(file, start, stop) if start else 0
    try:
        for line in iter(partial(file.readline, MAX_LINE_BYTES + 1), b""):
            if place >= stop:
                break
            size = len(line)
            if size > MAX_LINE_BYTES and not line.endswith(b"\n"):
                beginning, size = _beginning(line, file)
                yield Message(beginning, f"{name}:{place}")
            else:
                data = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
                yield Message(data, f"{name}:{place}")
            place += size
    except DamagedError:
        yield Message(unreadable(b"", "damaged_file"), f"{name}:{place}")


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

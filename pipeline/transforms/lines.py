"""Messages of files: each file cut into ranges where its format allows it, and read from them."""

from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.claims.formats import json_lines
from pipeline.claims.formats.compression import as_stored, is_packed, unpacked
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.message import Message
from pipeline.transforms.source_files import SourceFile

RANGE_BYTES = 64 << 20
"""Bytes of a file that one worker reads as a range."""
_HEAD_BYTES = 16
_DIALECT = Dialect()


class LineRange(NamedTuple):
    """The messages of a file whose first byte lies in [start, stop)."""

    path: str
    start: int
    stop: int | None
    """None: the end of the file."""
    version: str
    """That of the file."""


def split(file: SourceFile, input_format: str = "JSON") -> Iterator[LineRange]:
    """Cut a file; one that is compressed, or whose records may hold line breaks, stays whole."""
    path, size, version = file
    if not size:
        return
    if size <= RANGE_BYTES or input_format != "JSON" or _is_packed(path):
        yield LineRange(path, 0, None, version)
    else:
        for start in range(0, size, RANGE_BYTES):
            yield LineRange(path, start, min(start + RANGE_BYTES, size), version)


def _open(path: str) -> IO[bytes]:
    return cast(IO[bytes], FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))


def _is_packed(path: str) -> bool:
    with _open(path) as file:
        return is_packed(file.read(_HEAD_BYTES))


def read_lines(
    lines: LineRange, input_format: str = "JSON", dialect: Dialect = _DIALECT
) -> Iterator[Message]:
    """The messages of a range, in the order of the file; their ids are `file#version:offset`.

    What cannot be read of a damaged file is one message, whose data is a `Beginning`.
    """
    name = f"{lines.path}#{lines.version}"
    # Beam's own decompression reads line by line in Python. What begins later is not packed.
    reader = as_stored if lines.start else unpacked
    with _open(lines.path) as stored, reader(stored) as file:
        if input_format == "JSON":
            yield from json_lines.read(file, name, lines.start, lines.stop)
        else:
            yield from FORMATS[input_format].read(file, name, dialect)

"""CSV and similar formats: each row becomes a JSON object of strings, keyed by the header.

Rows are found by the quotes of RFC 4180: a quoted field may hold line ends and, doubled, quotes.
Memory holds one row, however large the file.
"""

import csv
from collections.abc import Iterator
from functools import partial
from typing import IO, NamedTuple, NoReturn

from pipeline.claims.formats.compression import DamagedError
from pipeline.claims.formats.unreadable import unreadable
from pipeline.claims.message import Beginning, Message, json_data

MAX_ROW_BYTES = 10 << 20
"""As much as a message of Pub/Sub. A quote that is never closed ends here."""
ENCODINGS = {"UTF-8": "utf-8", "ISO-8859-1": "latin-1", "WINDOWS-1252": "cp1252"}
"""By their IANA names: those in which a line feed is one byte."""
MAX_NAME_LENGTH = 300
"""Characters of a column name, the same limit as in BigQuery; every row repeats the names."""
LINE = "line"
"""Attribute of a row: the number of its first line, the header's being 1."""
_BOM = b"\xef\xbb\xbf"
_TOO_LARGE = "message_too_large"


class TooLargeError(Exception):
    """A row that is larger than `MAX_ROW_BYTES`, behind which the next one begins."""


class Dialect(NamedTuple):
    """How the rows of a file are written."""

    delimiter: str = ","
    encoding: str = "UTF-8"


class _Lines:
    """Lines for `csv.reader`, which asks for as many as a row has."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._next = partial(file.readline, MAX_ROW_BYTES + 1)
        self._encoding = encoding
        self.row = bytearray()
        """The bytes of the current row; a list of millions of short lines would take a gigabyte."""
        self.offset = self.line = self._bytes = self._row_lines = 0
        """Where the current row begins."""
        self.is_decoded = True
        """Whether the current row is in the declared encoding."""
        self.is_end = False

    @property
    def size(self) -> int:
        """Bytes of the current row."""
        return self._bytes

    def begin_row(self) -> None:
        """The next line is the first one of a row."""
        self.offset += self._bytes
        self.line += self._row_lines
        self._bytes = self._row_lines = 0
        self.row, self.is_decoded = bytearray(), True

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._next()
        self._bytes += len(line)
        if self._bytes > MAX_ROW_BYTES:
            self._pass_over(line)
        if not line:
            self.is_end = True
            raise StopIteration
        self.row += line
        self._row_lines += 1
        if self.offset == 0 and self._row_lines == 1:
            line = line.removeprefix(_BOM)
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError:  # the row may have further lines
            self.is_decoded = False
            return line.decode("latin-1")

    def _pass_over(self, line: bytes) -> NoReturn:
        """Go to the end of a line that makes its row too large.

        Only where the row is this one line, and its quotes are closed, is that its end, too.
        """
        if self._row_lines:
            raise DamagedError
        self.row += line
        self._row_lines, quotes = 1, line.count(b'"')
        while not line.endswith(b"\n") and (line := self._next()):
            self._bytes += len(line)
            quotes += line.count(b'"')
        raise DamagedError if quotes % 2 else TooLargeError


def read(file: IO[bytes], name: str, dialect: Dialect) -> Iterator[Message]:
    """The rows of a file as messages, with file and offset as their ids, and their line.

    A row that cannot be read is a message too: its data is `Unreadable`, or a `Beginning` where
    nothing that follows can be read. Blank lines are no rows.
    """
    lines = _Lines(file, ENCODINGS[dialect.encoding])
    csv.field_size_limit(MAX_ROW_BYTES)
    rows = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
    header: list[str] | None = None
    while not lines.is_end:
        lines.begin_row()
        code, fields = _row(rows, lines, header)
        if not fields and code is None:
            continue
        attributes = {LINE: str(lines.line + 1)}
        if code is None and header is None:
            header = fields
            continue
        data: bytes
        if code is None and header is not None:
            data = json_data(dict(zip(header, fields, strict=True)))
        else:
            data = unreadable(bytes(lines.row), code or "", header is None)
        is_over = isinstance(data, Beginning)
        if code == _TOO_LARGE:
            data = Beginning(data, lines.size)
        yield Message(data, f"{name}:{lines.offset}", None, attributes)
        if is_over:
            return


def _row(
    rows: Iterator[list[str]], lines: _Lines, header: list[str] | None
) -> tuple[str | None, list[str]]:
    """Why the next row cannot be read, or its fields."""
    try:
        fields = next(rows, [])
    except csv.Error:
        return "damaged_file" if lines.is_end else "malformed_csv", []
    except DamagedError:
        return "damaged_file", []
    except TooLargeError:
        return _TOO_LARGE, []
    if not lines.is_decoded:
        return "invalid_encoding", fields
    if header is None:
        is_header = not fields or (
            len(set(fields)) == len(fields) > 1 and max(map(len, fields)) <= MAX_NAME_LENGTH
        )
        return None if is_header else "invalid_header", fields
    return None if len(fields) in (0, len(header)) else "ragged_row", fields

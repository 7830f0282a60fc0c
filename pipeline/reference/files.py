"""A file that may change, or all files of a pattern, local or gs://: what is there, its lines."""

import glob
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import IO, TYPE_CHECKING, NamedTuple

from pipeline.clients import storage_client

if TYPE_CHECKING:
    from google.cloud.storage import Blob

_GS = "gs://"
_WILDCARDS = frozenset("*?[")
_MAX_PARTS = 1_000
_TIMEOUT_SECONDS = 60
"""Of each request to Cloud Storage."""
_CHUNK_BYTES = 8 << 20
_LONGEST_LINE = 1 << 18
"""Bytes that are read for one line, however long it is; readers refuse long ones."""
_BEGINNING_LINES = 60
"""Lines of the first file in which its header is."""
_LINES_AT_ONCE = 200
"""About a millisecond's work. Python lets a thread keep the interpreter for five, and a step that
judges a claim hands over many times: without a pause it would stand still while a list is read."""
_PAUSE_SECONDS = 0.0001


class FileUnusable(Exception):
    """Why a file cannot be read, in one line."""


class Part(NamedTuple):
    """One file as it is at a moment."""

    path: str
    generation: str
    """Changes when the file does."""
    size: int
    """Bytes."""


def look(pattern: str) -> tuple[Part, ...]:
    """The file, or the files of a pattern, in the order of their names.

    Raises:
        FileUnusable: there is none, or they cannot be listed.
    """
    try:
        parts = _look_in_bucket(pattern) if pattern.startswith(_GS) else _look_here(pattern)
    except FileUnusable:
        raise
    except Exception as error:  # Google's client has many; a path may hold anything
        raise FileUnusable(f"cannot be listed: {_line(error)}") from None
    if not parts:
        raise FileUnusable("no matching file" if _WILDCARDS & set(pattern) else "no such file")
    if len(parts) > _MAX_PARTS:
        raise FileUnusable(f"matches more than {_MAX_PARTS:,} files")
    return tuple(sorted(parts))


class Reading:
    """Reads the lines of some files in order and computes their digest."""

    def __init__(self, parts: tuple[Part, ...], max_bytes: int) -> None:
        """Take at most `max_bytes`.

        Raises:
            FileUnusable: they are larger.
        """
        self._parts = parts
        self._digest = hashlib.sha256()
        total = sum(part.size for part in parts)
        if total > max_bytes:
            raise FileUnusable(f"{total:,} bytes exceed the limit of {max_bytes:,}")

    @property
    def version(self) -> str:
        """The start of the SHA-256 of what was read, which is the same on every worker."""
        return self._digest.hexdigest()[:12]

    def lines(self) -> Iterator[str]:
        """The lines, with their ends.

        Lines with which a file begins as the first file does are left out: a notice and a header.
        Bytes that are no UTF-8 become lone surrogates: no code, date or number has any.

        Raises:
            FileUnusable: a file changed meanwhile, cannot be read, or grew too large.
        """
        beginning: list[bytes] = []
        for part in self._parts:
            expected: Iterator[bytes] | None = iter(() if part is self._parts[0] else beginning)
            for number, line in enumerate(self._lines_of(part), start=1):
                if number % _LINES_AT_ONCE == 0:
                    time.sleep(_PAUSE_SECONDS)
                if part is self._parts[0] and len(beginning) < _BEGINNING_LINES:
                    beginning.append(line)
                if expected is not None and line == next(expected, None):
                    continue
                expected = None
                yield line.decode("utf-8-sig", "surrogateescape")

    def _lines_of(self, part: Part) -> Iterator[bytes]:
        taken = 0
        try:
            with _opened(part) as file:
                while line := file.readline(_LONGEST_LINE):
                    taken += len(line)
                    if taken > part.size:
                        break
                    self._digest.update(line)
                    yield line
        except FileUnusable:
            raise
        except Exception as error:
            raise FileUnusable(f"cannot be read: {_line(error)}") from None
        if taken != part.size:
            raise FileUnusable("changed while it was being read")


def _look_here(pattern: str) -> list[Part]:
    paths = glob.glob(pattern) if _WILDCARDS & set(pattern) else [pattern]
    return [_part_here(path) for path in paths if os.path.lexists(path)]


def _part_here(path: str) -> Part:
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise FileUnusable("not a file")
    return Part(path, f"{found.st_mtime_ns}/{found.st_ino}", found.st_size)


def _look_in_bucket(pattern: str) -> list[Part]:
    bucket, _, name = pattern.removeprefix(_GS).partition("/")
    client = storage_client()
    if not _WILDCARDS & set(name):
        blob = client.bucket(bucket).get_blob(name, timeout=_TIMEOUT_SECONDS)
        return [] if blob is None else [_part_of(bucket, blob)]
    prefix = name[: min(name.find(each) for each in _WILDCARDS if each in name)]
    blobs = client.list_blobs(
        bucket, prefix=prefix, max_results=10 * _MAX_PARTS, timeout=_TIMEOUT_SECONDS
    )
    return [_part_of(bucket, blob) for blob in blobs if fnmatchcase(blob.name, name)]


def _part_of(bucket: str, blob: "Blob") -> Part:
    return Part(f"{_GS}{bucket}/{blob.name}", str(blob.generation), blob.size or 0)


@contextmanager
def _opened(part: Part) -> Iterator[IO[bytes]]:
    if part.path.startswith(_GS):
        bucket, _, name = part.path.removeprefix(_GS).partition("/")
        # Of this generation alone: one that is replaced meanwhile is not found any more.
        blob = storage_client().bucket(bucket).blob(name, generation=int(part.generation))
        with blob.open("rb", chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_SECONDS) as file:
            yield file
        return
    with open(part.path, "rb") as file:
        yield file
    if _part_here(part.path) != part:
        raise FileUnusable("changed while it was being read")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

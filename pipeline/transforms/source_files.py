"""The files of a backfill: found by a pattern, each with its current version."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems

MAX_ALTERNATIVES = 1_000
"""Patterns that the braces of one pattern may stand for."""
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_SPECIAL = re.compile(r"[*?\[{]")
_WILDCARD = re.compile(r"[*?\[]")
_TIMEOUT_SECONDS, _RETRY_SECONDS = 15, 45
"""For one call to Cloud Storage, and for all its repetitions."""


class UnfitFiles(ValueError):
    """A pattern or a file name that no backfill can work with: why, in one line."""


class SourceFile(NamedTuple):
    """A file as it is now."""

    path: str
    size: int
    """Bytes."""
    version: str
    """Differs once something else is written under the same name: the generation of an object of
    Cloud Storage; else when the file was changed, in microseconds since 1970, and its size."""


def match(pattern: str) -> Iterator[SourceFile]:
    """The files of a path or glob, local or `gs://`, each once, in the order of their names.

    A pattern that is the name of a file means that file. Else `*`, `?` and `[...]` stand for
    characters within a folder, `**` for any, and `{a,b}` for one of its parts.

    Raises:
        UnfitFiles: the braces stand for too many patterns; a file name holds a line break or is not
            UTF-8, so that the ids of its messages would be no text on one line; or what is found is
            a pipe or device.
        Exception: each file system has its own.
    """
    find = _objects if pattern.startswith("gs://") else _files
    found = list(find(pattern, is_name=True)) if _SPECIAL.search(pattern) else []
    for one in [] if found else _alternatives(pattern):
        found += find(one, is_name=False)
    yield from map(_checked, sorted(set(found)))


def _alternatives(pattern: str) -> list[str]:
    """A pattern without braces for each choice, in their order; braces without a comma stay."""
    waiting, patterns = [pattern], list[str]()
    while waiting:
        one = waiting.pop()
        braces = _BRACES.search(one)
        if braces is None:
            patterns.append(one)
            continue
        before, after = one[: braces.start()], one[braces.end() :]
        waiting += [f"{before}{part}{after}" for part in reversed(braces[1].split(","))]
        if len(waiting) + len(patterns) > MAX_ALTERNATIVES:
            raise UnfitFiles(f"its braces expand to more than {MAX_ALTERNATIVES} patterns")
    return patterns


def _files(pattern: str, *, is_name: bool) -> Iterable[SourceFile]:
    """Files of any other file system than Cloud Storage."""
    if is_name:
        system = FileSystems.get_filesystem(pattern)
        found = [system.metadata(pattern)] if system.exists(pattern) else []
    else:
        found = FileSystems.match([pattern])[0].metadata_list
    for file in found:
        if os.path.isdir(file.path):  # Beam takes the name of a folder for that of a file
            continue
        if os.path.exists(file.path) and not os.path.isfile(file.path):
            # Its size is 0 before it is read, and it could be read once only.
            raise UnfitFiles(f"not a regular file but a pipe or device: {ascii(file.path)}")
        changed = round(file.last_updated_in_seconds * 1_000_000)
        yield SourceFile(file.path, file.size_in_bytes, f"{changed}-{file.size_in_bytes}")


def _objects(pattern: str, *, is_name: bool) -> Iterable[SourceFile]:
    """Objects of Cloud Storage. Beam's own listing leaves out their generations."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    bucket, _, name = pattern.removeprefix("gs://").partition("/")
    if name.endswith("/") or not name:  # as Beam has it
        name += "*"
    prefix = name if is_name else _WILDCARD.split(name, maxsplit=1)[0]
    wanted = re.escape(name) if is_name else FileSystem.translate_pattern(name)
    client = FileSystems.get_filesystem(pattern)._gcsIO().client
    listed = client.list_blobs(
        bucket,
        prefix=prefix,
        fields="items(name,size,generation),nextPageToken",
        timeout=_TIMEOUT_SECONDS,
        retry=DEFAULT_RETRY.with_timeout(_RETRY_SECONDS),
    )
    for each in listed:
        if re.fullmatch(wanted, each.name):
            yield SourceFile(f"gs://{bucket}/{each.name}", each.size or 0, str(each.generation))


def _checked(file: SourceFile) -> SourceFile:
    if "\n" in file.path or "\r" in file.path:
        raise UnfitFiles(f"a file name contains a line break: {ascii(file.path)}")
    try:
        file.path.encode()
    except UnicodeEncodeError:
        raise UnfitFiles(f"a file name is not UTF-8: {ascii(file.path)}") from None
    return file

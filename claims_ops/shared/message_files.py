"""Messages of files as the pipeline reads them, with the place of each for people."""

import codecs
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

import click
import orjson

from pipeline.claims.formats.compression import DamagedError, unpacked
from pipeline.claims.formats.delimited import LINE, Dialect
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.formats.unreadable import unreadable
from pipeline.claims.formats.x12 import separators
from pipeline.claims.message import Message

STDIN = "-"
_HEAD_BYTES = 1 << 16
_DOCUMENT_BYTES = 10 << 20
"""No message of Pub/Sub is larger."""
BATCH_BYTES = 4 << 20
"""Bytes of messages that are judged together; decoded they may take ten times as much."""
_SUFFIXES = (".gz", ".gzip", ".bz2", ".xz", ".zst", ".deflate")


class Placed(NamedTuple):
    """A message, and where a person finds it."""

    place: str
    """`file:line`, or for X12 `file claim 3`."""
    message: Message
    input_format: str = "JSON"
    """That of its file, as it was given or found out."""


def messages(path: str, input_format: str | None, dialect: Dialect) -> Iterator[Placed]:
    """The messages of a file, or of stdin, in this format or the one that they seem to be in.

    A file that is a single JSON document over several lines is one message.

    Raises:
        OSError: the file cannot be read.
    """
    stored: IO[bytes] = sys.stdin.buffer if path == STDIN else Path(path).open("rb")
    with stored, unpacked(stored) as file:
        try:
            yield from _messages(file, path, input_format, dialect)
        except DamagedError:  # before a format could be seen
            yield Placed(path, Message(unreadable(b"", "damaged_file"), f"{path}:0"))


def _messages(
    file: IO[bytes], path: str, input_format: str | None, dialect: Dialect
) -> Iterator[Placed]:
    head = file.peek(_HEAD_BYTES)[:_HEAD_BYTES]  # type: ignore[attr-defined]
    chosen = input_format or _guess(path, head)
    if chosen == "JSON" and _is_cut_by_lines(head):
        data = file.read(_DOCUMENT_BYTES + 1)
        if _is_json(data):
            yield Placed(path, Message(data, f"{path}:0"))
            return
        if len(data) > _DOCUMENT_BYTES:
            raise click.ClickException(
                f"{path} begins with a JSON document that spans several lines and is larger than"
                " 10 MiB, the limit for a message; write each claim on a line of its own"
            )
        raise click.ClickException(
            f"{path} contains neither a single JSON document nor one per line"
        )
    for number, message in enumerate(FORMATS[chosen].read(file, path, dialect), 1):
        line = message.attributes.get(LINE, str(number))
        place = f"{path} claim {number}" if chosen == "X12" else f"{path}:{line}"
        yield Placed(place, message, chosen)


def batches(placed: Iterable[Placed], most: int) -> Iterator[list[Placed]]:
    """At most so many messages at a time, and no more than `BATCH_BYTES`; a larger one alone."""
    some: list[Placed] = []
    size = 0
    for each in placed:
        size += len(each.message.data)
        if some and (len(some) == most or size > BATCH_BYTES):
            yield some
            some, size = [], len(each.message.data)
        some.append(each)
    if some:
        yield some


def looked_at(placed: Iterator[Placed], input_format: str | None) -> tuple[bool, Iterator[Placed]]:
    """Whether the messages are X12, which has a map of its own; and the same messages."""
    first = next(placed, None)
    if first is None:
        return input_format == "X12", placed
    return "X12" in (input_format, first.input_format), chain([first], placed)


def _guess(path: str, head: bytes) -> str:
    name = path.lower()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    beginning = head.removeprefix(codecs.BOM_UTF8).lstrip()
    is_csv = name.endswith((".csv", ".tsv", ".psv"))
    if beginning[:3] in (b"ISA", b"GS*", b"ST*") and not (is_csv and not separators(beginning)):
        return "X12"
    return "CSV" if is_csv else "JSON"


def _is_cut_by_lines(head: bytes) -> bool:
    """Whether the first line begins a JSON document and does not end it."""
    first, line_feed, rest = head.partition(b"\n")
    begins = first.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[")
    if not (begins and line_feed and rest.strip()) or _is_json(first):
        return False
    return _is_json(head) or not _is_one_of_many(first.strip(), rest)


def _is_one_of_many(first: bytes, rest: bytes) -> bool:
    """Whether a first line, which is not JSON, is a broken one among objects on their own lines."""
    if first.startswith(b"["):
        return False
    objects = (line for line in rest.split(b"\n") if line.startswith(b"{"))
    return first.endswith(b"}") or any(map(_is_json, objects))


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        return False
    return True

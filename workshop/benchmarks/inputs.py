"""What the pipelines read: generated claims in files, and rows that are ready to be written."""

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from pipeline.claims.message import Message
from pipeline.claims.stages import through
from pipeline.settings import Settings
from sandbox.synthetic.samples import messages

SEED = 1
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PART_CLAIMS = 50_000
"""Claims of one file: several files can be read by several workers."""
READY_ROWS = 5_000

Row = tuple[Message, dict[str, Any]]


class Input(NamedTuple):
    """Claims to be read."""

    pattern: str
    """The files, as a glob."""
    rows: str
    """A file with `READY_ROWS` rows, for what only writes."""
    claims: int


def write_claims(directory: Path, count: int, bad_share: float) -> Iterator[int]:
    """Write claims into files `claims-0000.ndjson` and so on; tells how many after each file."""
    directory.mkdir(parents=True, exist_ok=True)
    samples = messages(count, bad_share, SEED, NOW, detailed=0.0)
    for part, start in enumerate(range(0, count, PART_CLAIMS)):
        with open(directory / f"claims-{part:04}.ndjson", "wb") as file:
            for sample in islice(samples, PART_CLAIMS):
                file.write(sample.data.replace(b"\n", b" ") + b"\n")
        yield min(start + PART_CLAIMS, count)


def cut(source: Path, target: Path, count: int) -> None:
    """The first claims of a directory, in another one."""
    target.mkdir(parents=True, exist_ok=True)
    for part in sorted(source.glob("*.ndjson")):
        if count <= 0:
            break
        copy = target / part.name
        if count >= PART_CLAIMS:
            copy.hardlink_to(part)
        else:
            with open(part, "rb") as claims, open(copy, "wb") as file:
                file.writelines(islice(claims, count))
        count -= PART_CLAIMS


def write_rows(path: Path, settings: Settings) -> None:
    """Write rows of the claims table, each with its message."""
    rows = list(islice(_rows(settings), READY_ROWS))
    with open(path, "wb") as file:
        pickle.dump(rows, file)


def read_rows(file: IO[bytes]) -> list[Row]:
    """What `write_rows` has written."""
    rows: list[Row] = pickle.load(file)
    return rows


def _rows(settings: Settings) -> Iterator[Row]:
    now = NOW.isoformat(timespec="milliseconds")
    stages = [settings.parse(), settings.validate(), settings.enrich(lambda: now)]
    for number, sample in enumerate(messages(None, 0.0, SEED, NOW, detailed=0.0)):
        decided = through(stages, [Message(sample.data, f"claims-0000.ndjson:{number * 540}")])
        yield from zip(decided.messages, decided.outcomes, strict=True)

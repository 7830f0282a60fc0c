"""Memory of this process while it writes rows of large messages.

`python -m tests.support.held_memory` sends messages of 10 MB with small rows to the claims table,
others to the error table, and lines of a compressed file from end to end. The servers are in
another process. Prints the highest resident size so far after each, in MB.
"""

import gzip
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from pipeline import graph
from pipeline.claims.clock import SystemClock
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import claims_table, errors_table
from pipeline.sinks.bigquery.append.channel import EMULATOR_VARIABLE
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.transforms.batch import Batch
from pipeline.transforms.sources import ReadFiles
from pipeline.transforms.write_errors import ErrorRowFn, WriteErrors
from tests.support.bigquery.appending import element, sink
from tests.support.claims.core import CLEAN
from workshop.benchmarks.contestants import CLAIMS, ERRORS, settings
from workshop.benchmarks.null_servers import null_servers

MESSAGE_BYTES = 10_000_000
ACCEPTED, REJECTED, LINES = 400, 60, 40
"""Messages; each more than the bound together, so that holding them all cannot pass."""


class AcceptedFn(beam.DoFn):
    """Number -> so many messages with small rows, in batches as EnrichClaims gives them."""

    @beam.DoFn.yields_batches
    def process(self, count: int) -> Iterator[Batch]:
        for number in range(count):
            _, row = element(number)
            yield Batch([Message(b"x" * MESSAGE_BYTES, str(number))], [row])

    def infer_output_type(self, input_type: Any) -> Any:
        return tuple[Message, dict[str, Any]]


class RejectedFn(beam.DoFn):
    """Number -> so many rejected messages."""

    def process(self, count: int) -> Iterator[Any]:
        for number in range(count):
            message = Message(b"x" * MESSAGE_BYTES, str(number))
            yield message, Rejection("parse", "not_json", "not JSON")


def accepted(pipeline: beam.Pipeline) -> None:
    numbers = pipeline | beam.Create([ACCEPTED], reshuffle=False)
    numbers | beam.ParDo(AcceptedFn()) | sink("", AppendLimits())


def rejected(pipeline: beam.Pipeline) -> None:
    errors = StorageWrite(ERRORS, errors_table().columns)
    make_rows = ErrorRowFn("1", "0", SystemClock(), None)
    numbers = pipeline | beam.Create([REJECTED], reshuffle=False)
    numbers | beam.ParDo(RejectedFn()) | WriteErrors(errors, make_rows)


def backfill(pipeline: beam.Pipeline, directory: Path) -> None:
    path = directory / "claims.ndjson.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for number in range(LINES):
            claim = json.dumps({**CLEAN, "claim_id": f"claim-{number}"}).encode()
            file.write(claim[:-1] + b" " * MESSAGE_BYTES + b"}\n")
    sinks = graph.Sinks(
        StorageWrite(CLAIMS, claims_table(settings().contract).columns),
        StorageWrite(ERRORS, errors_table().columns),
    )
    graph.build(pipeline | "ReadMessages" >> ReadFiles(str(path)), settings(), sinks)


def run(build: Callable[[beam.Pipeline], None]) -> None:
    with beam.Pipeline("FnApiRunner") as pipeline:
        build(pipeline)
    # Not `ru_maxrss`, which begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1_000
    print(json.dumps({"peak_mb": peak}), flush=True)


def main() -> None:
    with null_servers() as servers, tempfile.TemporaryDirectory() as directory:
        os.environ[EMULATOR_VARIABLE] = servers.storage_address
        run(accepted)
        run(rejected)
        run(lambda pipeline: backfill(pipeline, Path(directory)))
        print(json.dumps(servers.rows()))


if __name__ == "__main__":
    main()

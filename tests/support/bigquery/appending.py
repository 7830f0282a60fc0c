"""What the tests of the sink share: a table, rows for it, and ways to append them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.claims.columns import Rows
from pipeline.claims.contract import Column
from pipeline.claims.message import Message
from pipeline.claims.tables import TableName
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import AppendBatchesFn, StorageWrite
from pipeline.transforms.batch import Batch

TABLE = TableName("project-one", "claims", "claims")
STREAM = "projects/project-one/datasets/claims/tables/claims/streams/_default"
COLUMNS = (
    Column("claim_id", "STRING", "REQUIRED"),
    Column("claim_amount", "NUMERIC", "REQUIRED"),
    Column("service_date", "DATE"),
    Column("processing_timestamp", "TIMESTAMP", "REQUIRED"),
    Column("codes", "STRING", "REPEATED"),
    Column("notes", "STRING"),
    Column("extra", "JSON"),
)
LIMITS = AppendLimits(
    request_bytes=4_000,
    in_flight_bytes=64_000,
    budget_seconds=30,
    first_backoff_seconds=0.002,
    max_backoff_seconds=0.02,
    answer_timeout_seconds=10,
)


def element(number: int, **values: Any) -> tuple[Message, dict[str, Any]]:
    """A message and its row."""
    claim_id = f"claim-{number}"
    row = {
        "claim_id": claim_id,
        "claim_amount": "12.34",
        "service_date": "2026-01-02",
        "processing_timestamp": "2026-11-23T12:00:00Z",
        "codes": ["E11.9"],
        "notes": None,
        **values,
    }
    return Message(claim_id.encode(), str(number), "2026-11-23T11:00:00Z"), row


def sink(address: str, limits: AppendLimits = LIMITS, columns: Sequence[Column] = COLUMNS) -> Any:
    """The transform."""
    return StorageWrite(TABLE, tuple(columns), endpoint=address, limits=limits)


@dataclass
class Bundles:
    """A DoFn that is set up; runs bundles as a worker would."""

    fn: AppendBatchesFn

    def run(
        self, elements: Sequence[tuple[Message, dict[str, Any]]], batch_size: int = 0
    ) -> list[tuple[Any, Any]]:
        """Run one bundle; the rejected messages with their rejections.

        The elements come one by one; with a `batch_size` in batches, by column as of EnrichClaims.
        """
        self.fn.start_bundle()
        rejected: list[tuple[Any, Any]] = []
        for one in () if batch_size else elements:
            rejected += [output.value for output in self.fn.process(one) or ()]
        for start in range(0, len(elements), batch_size) if batch_size else ():
            messages, rows = zip(*elements[start : start + batch_size], strict=True)
            columns = {name: [row[name] for row in rows] for name in rows[0]}
            for refused in self.fn.process_batch(Batch(messages, Rows(columns))):
                rejected += refused
        rejected += [output.value for output in self.fn.finish_bundle()]
        return rejected


@contextmanager
def bundles(
    address: str, limits: AppendLimits = LIMITS, columns: Sequence[Column] = COLUMNS
) -> Iterator[Bundles]:
    """A DoFn from setup to teardown."""
    fn = AppendBatchesFn(TABLE, tuple(columns), address, limits)
    fn.setup()
    try:
        yield Bundles(fn)
    finally:
        fn.teardown()


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    """Wait for something that other threads bring about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)

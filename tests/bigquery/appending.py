"""What the tests of the sink share: a table, rows for it, and ways to append them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.bigquery.append_limits import AppendLimits
from pipeline.bigquery.storage_write import AppendRowsFn, StorageWrite
from pipeline.claims.contract import Column
from pipeline.claims.message import Message
from pipeline.tables import TableName

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

    fn: AppendRowsFn

    def run(self, elements: Iterable[tuple[Message, dict[str, Any]]]) -> list[tuple[Any, Any]]:
        """Run one bundle; the rejected messages with their rejections."""
        self.fn.start_bundle()
        rejected = []
        for one in elements:
            rejected += self.fn.process(one) or ()
        rejected += self.fn.finish_bundle()
        return [output.value for output in rejected]


@contextmanager
def bundles(
    address: str, limits: AppendLimits = LIMITS, columns: Sequence[Column] = COLUMNS
) -> Iterator[Bundles]:
    """A DoFn from setup to teardown."""
    fn = AppendRowsFn(TABLE, tuple(columns), address, limits)
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

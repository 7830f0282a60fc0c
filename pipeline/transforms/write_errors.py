"""WriteErrors: rejections to rows of the error table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipeline.claims.clock import Clock
from pipeline.claims.error_row import error_row
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.privacy.redaction import redacted


@dataclass(eq=False)
class ErrorRowFn(beam.DoFn):
    """Makes rows of the error table."""

    contract_version: str
    pipeline_version: str
    clock: Clock
    shown: frozenset[str] | None
    """Rows show these field names of a message and no value; None: they hold the message."""
    map_version: str | None = None

    def process(self, element: tuple[Message, Rejection]) -> Iterable[Any]:
        message, rejection = element
        row = error_row(message, rejection, self.clock())
        if self.shown is not None:
            row = redacted(row, message, self.shown)
        row |= {
            "contract_version": self.contract_version,
            "pipeline_version": self.pipeline_version,
            "map_version": row["map_version"] or self.map_version,
        }
        return ((message, row),)


class RefuseToLoseFn(beam.DoFn):
    """Fails the bundle of an error row that BigQuery refuses, so that the runner tries again.

    There is no further table for it to go to, and dropping it is not an option.
    """

    def process(self, element: tuple[Message, Rejection]) -> Iterable[Any]:
        raise RuntimeError(f"the error table refused a row: {element[1].error_code}")


@dataclass
class WriteErrors(beam.PTransform):
    """(Message, Rejection) -> the error table."""

    sink: beam.PTransform
    """Takes (Message, row), gives (Message, Rejection) of the rows that the table refused."""
    make_rows: ErrorRowFn

    def expand(self, rejected: beam.PCollection) -> Any:
        rows = rejected | "MakeRows" >> beam.ParDo(self.make_rows)
        refused = rows | "Append" >> self.sink
        return refused | "RefuseToLose" >> beam.ParDo(RefuseToLoseFn())

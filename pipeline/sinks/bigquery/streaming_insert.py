"""The conservative sink: Beam's own `WriteToBigQuery` with streaming inserts (insertAll).

What Beam leaves out is added: the original message of a row that BigQuery refuses.
"""

import base64
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.bigquery import BigQueryDisposition, WriteToBigQuery
from apache_beam.io.gcp.bigquery_tools import RetryStrategy

from pipeline.claims.contract import Column
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import TableName
from pipeline.sinks.bigquery.insert_client import InsertClient
from pipeline.transforms.metrics import Tally

_REASON = re.compile(r"[A-Za-z][A-Za-z ]{0,39}", re.ASCII)


class InsertRow(dict[str, Any]):
    """A row as insertAll takes it, which remembers its message.

    Beam hands failed rows back as the objects that it got, and through a shuffle as their
    pickles: what the row has beside its keys comes along, where a key would be sent to BigQuery.

    Beam refuses a row of more than 9 MB, by its own estimate: the size of all objects that the
    row refers to, functions left out. The message must not count, it is not sent; what JSON
    escapes must, a control character takes six bytes.
    """

    def __init__(self, row: Mapping[str, Any], message: Message) -> None:
        super().__init__(row)
        self._recall: Callable[[], Message] = lambda: message

    @property
    def message(self) -> Message:
        return self._recall()

    def __sizeof__(self) -> int:
        plain = sum(len(value) for value in self.values() if isinstance(value, str))
        return super().__sizeof__() + max(0, len(json.dumps(self, default=str)) - plain)

    def __reduce__(self) -> tuple[type["InsertRow"], tuple[dict[str, Any], Message]]:
        return InsertRow, (dict(self), self.message)


class ToInsertRowFn(beam.DoFn):
    """(Message, row) -> InsertRow: nulls left out, bytes as base64."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._bytes = [column.name for column in columns if column.type == "BYTES"]

    def process(self, element: tuple[Message, dict[str, Any]]) -> Iterable[Any]:
        message, row = element
        values = {name: value for name, value in row.items() if value is not None}
        for name in self._bytes:
            if name in values:
                values[name] = base64.b64encode(values[name]).decode()
        return (InsertRow(values, message),)


_ERROR_TEXT = re.compile(r" Errors were .*|(?<= due to )(\d*).*|(?<= for retry: ).*", re.DOTALL)
_LOGGERS = (WriteToBigQuery.__module__, "google.api_core.retry", "google.cloud.bigquery.retry")


def _remove_error_text(record: logging.LogRecord) -> bool:
    """Remove BigQuery's own text, which quotes values, from what other code logs of a refusal."""
    record.msg, record.args = _ERROR_TEXT.sub(r"\1", record.getMessage()), ()
    return True


class ToRejectionFn(beam.DoFn):
    """(destination, InsertRow, errors) -> (Message, Rejection), without BigQuery's own text."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._columns = frozenset(column.name for column in columns)

    def setup(self) -> None:
        """Create the tally, and silence other loggers before the first refused row."""
        self._tally = Tally()
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_remove_error_text)

    def process(self, element: tuple[Any, InsertRow, Any]) -> Iterable[Any]:
        _, row, errors = element
        rejection = self._rejection(row, errors)
        self._tally[f"rejected_{rejection.stage}_{rejection.error_code}"] += 1
        return ((row.message, rejection),)

    def finish_bundle(self) -> None:
        self._tally.flush()

    def _rejection(self, row: InsertRow, errors: Any) -> Rejection:
        claim_id = row.get("claim_id")
        # Beam tells an oversize row as text, all else as a list of insertAll's error records.
        if not isinstance(errors, list) or not errors:
            return Rejection("write", "row_too_large", "the row is too large", (), claim_id)
        reason = str(errors[0].get("reason", ""))
        reason = reason if _REASON.fullmatch(reason) else "unknown"
        place = errors[0].get("location")
        column = f"{place}: " if place in self._columns else ""
        text = f"{column}BigQuery refused the row: {reason}"
        code = f"insert_{reason.lower().replace(' ', '_')}"
        return Rejection("write", code, text, (), claim_id)


@dataclass
class StreamingInsert(beam.PTransform):
    """(Message, row) -> (Message, Rejection) of the rows that BigQuery refused."""

    table: TableName
    columns: tuple[Column, ...]

    def expand(self, rows: beam.PCollection) -> Any:
        """Wire the sink. Only transient errors are tried again, so that no bad row blocks."""
        client = InsertClient(self.table.project, [column.name for column in self.columns])
        result = (
            rows
            | "ToInsertRows" >> beam.ParDo(ToInsertRowFn(self.columns))
            | "InsertAll"
            >> WriteToBigQuery(
                table=f"{self.table.project}:{self.table.dataset}.{self.table.table}",
                method=WriteToBigQuery.Method.STREAMING_INSERTS,
                create_disposition=BigQueryDisposition.CREATE_NEVER,
                insert_retry_strategy=RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
                test_client=client,  # Beam's name for any that is not its own
            )
        )
        return result.failed_rows_with_errors | "ToRejections" >> beam.ParDo(
            ToRejectionFn(self.columns)
        )

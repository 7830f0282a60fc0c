"""The default sink: rows appended through the Storage Write API's default stream, in pure Python.

At-least-once: a row is written again only where the answer to its append was lost, or where the
runner begins a bundle anew. A bundle ends when every append of it is acknowledged; what the table
refuses for good comes out with its original message.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from pipeline.claims.clock import SystemClock, milliseconds_between
from pipeline.claims.contract import Column
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.tables import TableName
from pipeline.sinks.bigquery.append.channel import endpoint_in_use
from pipeline.sinks.bigquery.append.delivery import Delivery, Refused
from pipeline.sinks.bigquery.append.limits import (
    REQUEST_OVERHEAD_BYTES,
    ROW_OVERHEAD_BYTES,
    AppendLimits,
)
from pipeline.sinks.bigquery.append.shared_streams import STREAMS, StreamKey
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from pipeline.sinks.bigquery.encode.row_refusals import RowRefused
from pipeline.sinks.bigquery.encode.row_schema import row_descriptor
from pipeline.transforms.batch import MAX_BYTES, MAX_MESSAGES, Batch, timestamp_of
from pipeline.transforms.metrics import Tally

_GLOBAL = (GlobalWindow(),)
_DATA_OF = itemgetter(Message._fields.index("data"))
_ATTRIBUTES_OF = itemgetter(Message._fields.index("attributes"))
_MESSAGE_BYTES: Final = 400
"""Of a message beside its data: the objects that it consists of, its id and time."""
_ATTRIBUTE_BYTES: Final = 1_400
"""Of an attribute, by the limits of Pub/Sub: to look at each value costs more than it saves."""


class AppendRowsFn(beam.DoFn):
    """(Message, row) -> (Message, Rejection) of refused rows, for rows in the global window.

    It asks Beam for neither timestamp nor window: either would cost more than all of its own work.
    """

    def __init__(
        self,
        table: TableName,
        columns: tuple[Column, ...],
        endpoint: str | None,
        limits: AppendLimits,
    ) -> None:
        self._table = table
        self._columns = columns
        self._endpoint = endpoint
        self._limits = limits
        self._key: StreamKey | None = None

    def setup(self) -> None:
        """Compile the columns and join the connection of this process."""
        encoder = RowEncoder(self._columns)
        self._encode, self._decode = encoder.encode, encoder.decode
        self._max_row_bytes = (
            self._limits.max_request_bytes
            - REQUEST_OVERHEAD_BYTES
            - ROW_OVERHEAD_BYTES
            - encoder.writer_schema.ByteSize()
        )
        self._max_bytes = min(self._limits.request_bytes, self._max_row_bytes)
        self._max_rows = self._limits.request_rows
        self._max_held = self._limits.held_bytes
        self._tally = Tally()
        self._clock = SystemClock()
        key = StreamKey(self._table, self._columns, endpoint_in_use(self._endpoint), self._limits)
        self._shared = STREAMS.acquire(key)
        self._key = key

    def start_bundle(self) -> None:
        """Begin with nothing open, however the bundle before ended."""
        self._delivery = Delivery(self._shared, self._limits, self._tally)
        self._first_owner: Any = None
        self._clear()
        self._keep_none()

    def process(self, element: tuple[Any, dict[str, Any]]) -> Iterable[Any] | None:
        """Keep a row until enough rows or bytes are held to encode them together."""
        owner, row = element
        self._kept_owners.append(owner)
        self._kept_rows.append(row)
        self._kept_held += self._held_by((owner,))
        is_enough = len(self._kept_rows) >= MAX_MESSAGES or self._kept_held >= MAX_BYTES
        # In one line: Beam warns of a `return None` in a `process`, at each launch.
        return self._take_kept() if is_enough else None

    def finish_bundle(self) -> Iterable[Any]:
        """Wait until each row of the bundle is acknowledged or refused.

        What leaves here must not go to a DoFn that takes batches: Beam has flushed those already.
        """
        rejected = [*self._take_kept(), *self._send()]
        self._delivery.finish()
        self._tell_latency()
        rejected += map(self._refused, self._delivery.take_refused())
        self._tally.flush()
        return rejected

    def teardown(self) -> None:
        """Leave the connection, which ends with its last user."""
        if self._key is not None:
            STREAMS.release(self._key)
            self._key = None

    def message_of(self, owner: Any) -> Message:
        """The message that a row was made from."""
        message: Message = owner
        return message

    def output(self, owner: Any, rejection: Rejection) -> Any:
        """The element that comes out for a refused row."""
        message = self.message_of(owner)
        return WindowedValue((message, rejection), timestamp_of(message), _GLOBAL)

    def _held_by(self, owners: Sequence[Any]) -> int:
        return held_by(owners)

    def _keep_none(self) -> None:
        self._kept_owners: list[Any] = []
        self._kept_rows: list[dict[str, Any]] = []
        self._kept_held = 0

    def _take_kept(self) -> list[Any]:
        owners, rows = self._kept_owners, self._kept_rows
        self._keep_none()
        return self._take(owners, rows)

    def _take(self, owners: Sequence[Any], rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Encode rows, and send what has gathered when it is enough for a request.

        The outputs for rows that are refused by now.
        """
        encoded = self._encode(rows)
        fit = [data for data in encoded if isinstance(data, bytes)]
        size, held = sum(map(len, fit)) + ROW_OVERHEAD_BYTES * len(fit), self._held_by(owners)
        is_large = size > self._max_bytes or held > self._max_held or len(fit) > self._max_rows
        rejected: list[Any] = []
        if len(fit) < len(encoded) or is_large:
            for owner, row, data in zip(owners, rows, encoded, strict=True):
                rejected += self._take_one(owner, row, data)
        else:
            rejected += self._gather(owners, fit, size, held)
        return rejected

    def _take_one(self, owner: Any, row: dict[str, Any], data: bytes | RowRefused) -> list[Any]:
        if isinstance(data, RowRefused):
            return [self._unencodable(owner, row, data)]
        size = len(data) + ROW_OVERHEAD_BYTES
        if size > self._max_row_bytes:
            return [self._too_large(owner, row)]
        return self._gather((owner,), (data,), size, self._held_by((owner,)))

    def _gather(
        self, owners: Sequence[Any], rows: Sequence[bytes], size: int, held: int
    ) -> list[Any]:
        """Add rows to what has gathered, which is sent before if they make it too much."""
        rejected = self._send() if self._is_full(size, held, len(rows)) else []
        self._size += size
        self._held += held
        self._rows += rows
        self._owners += owners
        return rejected

    def _clear(self) -> None:
        self._rows: list[bytes] = []
        self._owners: list[Any] = []
        self._size = self._held = 0

    def _is_full(self, size: int, held: int, rows: int) -> bool:
        """Whether what has gathered must be sent before so much more is added."""
        return (
            self._size + size > self._max_bytes
            or self._held + held > self._max_held
            or len(self._rows) + rows > self._max_rows
        )

    def _send(self) -> list[Any]:
        if self._rows:
            if self._first_owner is None:
                self._first_owner = self._owners[0]
            self._delivery.send(self._rows, self._owners, self._held)
            self._clear()
        return [self._refused(refused) for refused in self._delivery.take_refused()]

    def _tell_latency(self) -> None:
        if self._first_owner is not None:
            published = self.message_of(self._first_owner).publish_time
            latency = milliseconds_between(published, self._clock())
            if latency is not None:
                self._tally.sample("end_to_end_latency_ms", latency)

    def _refused(self, refused: Refused) -> Any:
        claim_id = getattr(self._decode(refused.data), "claim_id", None) or None
        rejection = Rejection("write", refused.code, refused.error, (), claim_id)
        return self.output(refused.owner, rejection)

    def _unencodable(self, owner: Any, row: dict[str, Any], refused: RowRefused) -> Any:
        first = refused.violations[0]
        text = f"{first.field}: {first.message}" if first.field else first.message
        return self._rejected_here(
            owner, Rejection("write", first.rule, text, refused.violations, _claim_id(row))
        )

    def _too_large(self, owner: Any, row: dict[str, Any]) -> Any:
        text = f"the row exceeds the request limit of {self._limits.max_request_bytes} bytes"
        return self._rejected_here(
            owner, Rejection("write", "row_too_large", text, (), _claim_id(row))
        )

    def _rejected_here(self, owner: Any, rejection: Rejection) -> Any:
        self._tally[f"rejected_write_{rejection.error_code}"] += 1
        return self.output(owner, rejection)


class AppendBatchesFn(AppendRowsFn):
    """The same for rows that come in batches, too."""

    def process_batch(self, batch: Batch) -> Iterator[Batch]:
        """Encode rows, and send what has gathered."""
        if rejected := self._take(batch.messages, batch.subjects or ()):
            # A batch is of plain elements, to which Beam gives the timestamp of the batch.
            yield Batch.of([output.value for output in rejected])


class AppendWindowedRowsFn(AppendRowsFn):
    """The same for rows in other windows, at the price of asking Beam for them."""

    def process(
        self,
        element: tuple[Any, dict[str, Any]],
        origin: Any = beam.DoFn.WindowedValueParam,
    ) -> Iterable[Any] | None:
        """Encode a row, and remember where it belongs."""
        message, row = element
        return super().process((origin.with_value(message), row))

    def message_of(self, owner: Any) -> Message:
        """The message that a row was made from."""
        message: Message = owner.value
        return message

    def _held_by(self, owners: Sequence[Any]) -> int:
        return held_by([owner.value for owner in owners])

    def output(self, owner: Any, rejection: Rejection) -> Any:
        """The element that comes out for a refused row, where its row was."""
        return owner.with_value((owner.value, rejection))


@dataclass
class StorageWrite(beam.PTransform):
    """(Message, row) -> (Message, Rejection) of the rows that the table refuses for good."""

    table: TableName
    columns: tuple[Column, ...]
    """Those of the table that are written, in any order."""
    endpoint: str | None = None
    """`host:port` or `https://host[:port]`, plaintext only for a loopback host without `https://`;
    None: the emulator of the environment, else Google's."""
    limits: AppendLimits = field(default_factory=AppendLimits)

    def expand(self, rows: beam.PCollection) -> Any:
        """Wire the sink.

        Raises:
            ValueError: a column has a type that BigQuery does not have.
        """
        row_descriptor(self.columns)
        is_global = isinstance(rows.windowing.windowfn, GlobalWindows)
        kind = AppendBatchesFn if is_global else AppendWindowedRowsFn
        append = kind(self.table, self.columns, self.endpoint, self.limits)
        return rows | "AppendRows" >> beam.ParDo(append)


def held_by(messages: Sequence[Message]) -> int:
    """Bytes of memory that messages take, at most but for what Python adds to large ones."""
    data = sum(map(len, map(_DATA_OF, messages)))
    attributes = sum(map(len, map(_ATTRIBUTES_OF, messages)))
    return data + _MESSAGE_BYTES * len(messages) + _ATTRIBUTE_BYTES * attributes


def _claim_id(row: dict[str, Any]) -> str | None:
    claim_id = row.get("claim_id")
    return claim_id if isinstance(claim_id, str) else None

"""Where messages come from: a Pub/Sub subscription or topic, or files of a backfill."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.message import Message
from pipeline.transforms.batch import Batch, batches_of, timestamp_of
from pipeline.transforms.lines import LineRange, read_lines, split
from pipeline.transforms.source_files import SourceFile, match

_GLOBAL = (GlobalWindow(),)


def from_pubsub(message: PubsubMessage) -> Message:
    published = message.publish_time
    return Message(
        message.data,
        message.message_id,
        published.isoformat() if published is not None else None,
        dict(message.attributes or {}),
    )


class ToMessageFn(beam.DoFn):
    """PubsubMessage -> Message, in batches.

    All messages of a bundle get the timestamp of the first, for Beam makes batches of those that
    share one. Nothing in the graph looks at timestamps.
    """

    def start_bundle(self) -> None:
        self._timestamp: Timestamp | None = None

    def process(self, element: PubsubMessage) -> Iterable[Any]:
        message = from_pubsub(element)
        if self._timestamp is None:
            self._timestamp = timestamp_of(message)
        return (WindowedValue(message, self._timestamp, _GLOBAL),)

    def process_batch(self, batch: Batch) -> Iterator[Batch]:
        """Convert a batch: no source gives any, but Beam makes batches only for who takes them."""
        yield Batch([from_pubsub(message) for message in batch])

    def infer_output_type(self, input_type: Any) -> Any:
        return Message


@dataclass
class ReadPubSub(beam.PTransform):
    """Messages of a subscription, or of a topic through a subscription that the runner makes.

    Exactly one of `subscription` (`projects/P/subscriptions/S`) and `topic` is given.
    """

    subscription: str | None = None
    topic: str | None = None
    id_attribute: str | None = None
    """Attribute that holds a producer's message id, for de-duplication by Dataflow."""

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        return (
            begin
            | "Pull"
            >> beam.io.ReadFromPubSub(
                topic=self.topic,
                subscription=self.subscription,
                id_label=self.id_attribute,
                with_attributes=True,
            )
            | "ToMessage" >> beam.ParDo(ToMessageFn())
        )


def _matched(pattern: str) -> Iterator[SourceFile]:
    """The files of a pattern, of which the launch has found some."""
    count = 0
    for file in match(pattern):
        count += 1
        yield file
    if not count:
        raise FileNotFoundError(f"no file matches {pattern}")


class ReadLinesFn(beam.DoFn):
    """Range -> its lines as messages."""

    def __init__(self, input_format: str, dialect: Dialect) -> None:
        self._format = (input_format, dialect)

    @beam.DoFn.yields_batches  # type: ignore[untyped-decorator]
    def process(self, element: LineRange) -> Iterator[Batch]:
        return batches_of(read_lines(element, *self._format))

    def infer_output_type(self, input_type: Any) -> Any:
        return Message


@dataclass
class ReadFiles(beam.PTransform):
    """The messages of files: lines of JSON, rows of CSV, claims of X12 837.

    Files are unpacked by their first bytes. Beam's `ReadFromText` takes three times the CPU a line,
    and tells neither file nor place.
    """

    pattern: str
    """As `source_files.match` takes it."""
    input_format: str = "JSON"
    """A name of `FORMATS`."""
    csv_dialect: Dialect = Dialect()

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        return (
            begin
            | "Pattern" >> beam.Create([self.pattern])
            | "Match" >> beam.FlatMap(_matched)
            | "Split" >> beam.FlatMap(split, self.input_format)
            | "Spread" >> beam.Reshuffle()
            | "ReadLines" >> beam.ParDo(ReadLinesFn(self.input_format, self.csv_dialect))
        )

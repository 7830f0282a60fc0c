"""The pipelines that are measured, by name."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import orjson
from apache_beam.coders import BytesCoder
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.transforms.window import TimestampedValue

from pipeline import graph
from pipeline.claims.clock import SystemClock
from pipeline.claims.columns import Rows
from pipeline.claims.contract import Contract
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.settings import Settings
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.sinks.bigquery.streaming_insert import StreamingInsert
from pipeline.transforms import collector
from pipeline.transforms.batch import MAX_MESSAGES, Batch
from pipeline.transforms.sources import ReadFiles, ToMessageFn
from pipeline.transforms.step import Decide
from workshop.benchmarks import reference, stock
from workshop.benchmarks.inputs import Input, Row, read_rows
from workshop.benchmarks.shapes import LINES, SHAPES, Shape

CLAIMS = TableName("bench-project", "bench", "claims")
ERRORS = TableName("bench-project", "bench", "errors")
REFERENCE = "reference"
"""The directory of the reference files, beside that of ready rows."""


def settings() -> Settings:
    """Those of a launch without parameters."""
    return Settings(Contract.default(), Rules.default(), 0.5, "benchmark")


def _insert_table(name: TableName) -> str:
    return f"{name.project}:{name.dataset}.{name.table}"


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # a byte order mark, which a few claims have
        return None


def _floor(pipeline: beam.Pipeline, source: Input) -> Any:
    lines = pipeline | "Read" >> beam.io.ReadFromText(source.pattern, coder=BytesCoder())
    return lines | "Parse" >> beam.Map(_loads)


def _stock(pipeline: beam.Pipeline, source: Input) -> None:
    stock.build(pipeline, source.pattern, _insert_table(CLAIMS), _insert_table(ERRORS))


def _ours(
    pipeline: beam.Pipeline,
    source: Input,
    sinks: graph.Sinks,
    shape: Shape | None = None,
    with_lists: bool = False,
) -> None:
    given, input_format = settings(), "JSON"
    if shape is not None:
        input_format = shape.input_format
        claim_map = ClaimMap.packaged(shape.claim_map) if shape.claim_map else None
        given = replace(given, input_format=input_format, claim_map=claim_map)
    if with_lists:
        files = reference.files(Path(source.rows).parent / REFERENCE)
        given = replace(given, reference_files=files)
    messages = pipeline | "ReadMessages" >> ReadFiles(source.pattern, input_format)
    graph.build(messages, given, sinks)


def _ours_storage_write(
    pipeline: beam.Pipeline, source: Input, shape: Shape | None = None, with_lists: bool = False
) -> None:
    claims = StorageWrite(CLAIMS, claims_table(settings().contract).columns)
    errors = StorageWrite(ERRORS, errors_table().columns)
    _ours(pipeline, source, graph.Sinks(claims, errors), shape, with_lists)


def _ours_streaming_inserts(pipeline: beam.Pipeline, source: Input) -> None:
    claims = StreamingInsert(CLAIMS, claims_table(settings().contract).columns)
    _ours(pipeline, source, graph.Sinks(claims, StreamingInsert(ERRORS, errors_table().columns)))


class PublishFn(beam.DoFn):
    """Message -> the same as Pub/Sub delivers it, each published a millisecond after the last."""

    def start_bundle(self) -> None:
        self._published = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def process(self, element: Message) -> Iterator[PubsubMessage]:
        self._published += timedelta(milliseconds=1)
        yield TimestampedValue(
            PubsubMessage(element.data, {}, element.message_id, publish_time=self._published),
            self._published.timestamp(),
        )


def _published(pipeline: beam.Pipeline, source: Input) -> Any:
    lines = pipeline | "ReadLines" >> ReadFiles(source.pattern)
    return lines | "Publish" >> beam.ParDo(PublishFn())


def _ours_streaming(pipeline: beam.Pipeline, source: Input) -> None:
    received = _published(pipeline, source)
    messages = received | "ToMessage" >> beam.ParDo(ToMessageFn())
    claims = StorageWrite(CLAIMS, claims_table(settings().contract).columns)
    sinks = graph.Sinks(claims, StorageWrite(ERRORS, errors_table().columns))
    graph.build(messages, settings(), sinks)


def _read(pipeline: beam.Pipeline, source: Input) -> Any:
    return pipeline | "ReadMessages" >> ReadFiles(source.pattern)


def _parse(pipeline: beam.Pipeline, source: Input) -> Any:
    messages = _read(pipeline, source)
    return messages | "ParseJson" >> Decide("Decode", settings().parse)


def _validate(pipeline: beam.Pipeline, source: Input) -> Any:
    parsed = _parse(pipeline, source)
    return parsed.accepted | "ValidateClaims" >> Decide("Validate", settings().validate)


def _enrich(pipeline: beam.Pipeline, source: Input) -> Any:
    validated = _validate(pipeline, source)
    enrich = partial(settings().enrich, SystemClock())
    return validated.accepted | "EnrichClaims" >> Decide("Enrich", enrich)


class ReadyRowsFn(beam.DoFn):
    """Number -> so many (Message, row) that were made before, in batches as EnrichClaims gives."""

    def __init__(self, path: str) -> None:
        self._path = path

    def setup(self) -> None:
        collector.look_less_often()  # as the steps do that come before a sink
        with open(self._path, "rb") as file:
            rows = read_rows(file)
        self._batches = [
            ready_batch(rows[start : start + MAX_MESSAGES])
            for start in range(0, len(rows), MAX_MESSAGES)
        ]

    @beam.DoFn.yields_batches  # type: ignore[untyped-decorator]
    def process(self, element: int) -> Iterator[Batch]:
        for batch in cycle(self._batches):
            if element < len(batch):
                break
            element -= len(batch)
            yield batch
        if element:
            yield Batch(batch.messages[:element], (batch.subjects or ())[:element])

    def infer_output_type(self, input_type: Any) -> Any:
        return tuple[Message, dict[str, Any]]


def ready_batch(rows: list[Row]) -> Batch:
    """Rows by column, beside their messages."""
    columns = {name: [row[name] for _, row in rows] for name in rows[0][1]}
    return Batch([message for message, _ in rows], Rows(columns))


def _rows(pipeline: beam.Pipeline, source: Input) -> Any:
    return (
        pipeline
        | "Count" >> beam.Create([source.claims], reshuffle=False)
        | "ReadyRows" >> beam.ParDo(ReadyRowsFn(source.rows))
    )


def _storage_write(pipeline: beam.Pipeline, source: Input) -> None:
    sink = StorageWrite(CLAIMS, claims_table(settings().contract).columns)
    _rows(pipeline, source) | "Write" >> sink


def _write_to_bigquery(pipeline: beam.Pipeline, source: Input) -> None:
    rows = _rows(pipeline, source) | "WithoutMessage" >> beam.Map(lambda element: element[1])
    rows | "Write" >> stock.write(_insert_table(CLAIMS))


class Contestant(NamedTuple):
    """One pipeline."""

    build: Callable[[beam.Pipeline, Input], Any]
    writes: bool
    """Whether each of its claims must come to the servers as a row."""


CONTESTANTS = {
    "floor": Contestant(_floor, False),
    "stock": Contestant(_stock, True),
    "ours, STREAMING_INSERTS": Contestant(_ours_streaming_inserts, True),
    "ours, STORAGE_WRITE_API": Contestant(_ours_storage_write, True),
    "ours, with lists and profiles": Contestant(
        partial(_ours_storage_write, with_lists=True), True
    ),
    "ready messages of Pub/Sub": Contestant(_published, False),
    "ready messages of Pub/Sub, ours": Contestant(_ours_streaming, True),
    "read": Contestant(_read, False),
    "read, parse": Contestant(_parse, False),
    "read, parse, validate": Contestant(_validate, False),
    "read, parse, validate, enrich": Contestant(_enrich, False),
    "ready rows": Contestant(_rows, False),
    "ready rows, StorageWrite": Contestant(_storage_write, True),
    "ready rows, WriteToBigQuery": Contestant(_write_to_bigquery, True),
    **{
        name: Contestant(partial(_ours_storage_write, shape=shape), True)
        for name, shape in SHAPES.items()
    },
    f"{LINES}, lists and profiles": Contestant(
        partial(_ours_storage_write, shape=SHAPES[LINES], with_lists=True), True
    ),
}

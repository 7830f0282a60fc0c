"""The pipelines that are measured, by name."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import orjson
from apache_beam.coders import BytesCoder

from benchmarks import stock
from benchmarks.inputs import Input, read_rows
from pipeline import graph
from pipeline.bigquery.storage_write import StorageWrite
from pipeline.bigquery.streaming_insert import StreamingInsert
from pipeline.claims.contract import Contract
from pipeline.claims.score import Rules
from pipeline.clock import SystemClock
from pipeline.tables import TableName, claims_table, errors_table
from pipeline.transforms.enrich_claims import EnrichClaims
from pipeline.transforms.parse_json import ParseJson
from pipeline.transforms.sources import ReadFiles
from pipeline.transforms.validate_claims import ValidateClaims

CLAIMS = TableName("bench-project", "bench", "claims")
ERRORS = TableName("bench-project", "bench", "errors")


def settings() -> graph.Settings:
    """Those of a launch without parameters."""
    return graph.Settings(Contract.default(), Rules.default(), 0.5, "benchmark")


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


def _ours(pipeline: beam.Pipeline, source: Input, sinks: graph.Sinks) -> None:
    messages = pipeline | "ReadMessages" >> ReadFiles(source.pattern)
    graph.build(messages, settings(), sinks)


def _ours_storage_write(pipeline: beam.Pipeline, source: Input) -> None:
    claims = StorageWrite(CLAIMS, claims_table(settings().contract).columns)
    _ours(pipeline, source, graph.Sinks(claims, StorageWrite(ERRORS, errors_table().columns)))


def _ours_streaming_inserts(pipeline: beam.Pipeline, source: Input) -> None:
    claims = StreamingInsert(CLAIMS, claims_table(settings().contract).columns)
    _ours(pipeline, source, graph.Sinks(claims, StreamingInsert(ERRORS, errors_table().columns)))


def _read(pipeline: beam.Pipeline, source: Input) -> Any:
    return pipeline | "ReadMessages" >> ReadFiles(source.pattern)


def _parse(pipeline: beam.Pipeline, source: Input) -> Any:
    messages = _read(pipeline, source)
    return messages | "ParseJson" >> ParseJson(settings().contract)


def _validate(pipeline: beam.Pipeline, source: Input) -> Any:
    parsed = _parse(pipeline, source)
    return parsed.accepted | "ValidateClaims" >> ValidateClaims(settings().contract)


def _enrich(pipeline: beam.Pipeline, source: Input) -> Any:
    validated = _validate(pipeline, source)
    made = settings()
    return validated.accepted | "EnrichClaims" >> EnrichClaims(
        made.contract, made.rules, made.high_risk_threshold, "benchmark", SystemClock()
    )


class ReadyRowsFn(beam.DoFn):
    """Number -> so many (Message, row) that were made before."""

    def __init__(self, path: str) -> None:
        self._path = path

    def setup(self) -> None:
        with open(self._path, "rb") as file:
            self._rows = read_rows(file)

    def process(self, element: int) -> Iterator[Any]:
        whole, rest = divmod(element, len(self._rows))
        for _ in range(whole):
            yield from self._rows
        yield from self._rows[:rest]


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
    "read": Contestant(_read, False),
    "read, parse": Contestant(_parse, False),
    "read, parse, validate": Contestant(_validate, False),
    "read, parse, validate, enrich": Contestant(_enrich, False),
    "ready rows": Contestant(_rows, False),
    "ready rows, StorageWrite": Contestant(_storage_write, True),
    "ready rows, WriteToBigQuery": Contestant(_write_to_bigquery, True),
}

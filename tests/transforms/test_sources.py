"""Sources: what becomes of Pub/Sub messages and of the files of a pattern."""

import gzip
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue

from pipeline.claims.message import Message
from pipeline.transforms.batch import MAX_MESSAGES, Batch
from pipeline.transforms.source_files import match
from pipeline.transforms.sources import ReadFiles, ToMessageFn, from_pubsub


@pytest.mark.parametrize(
    "given, expected",
    [
        (
            PubsubMessage(
                b"\x00", {"k": "v"}, "17", publish_time=datetime(2026, 11, 23, 1, 2, 3, 456, UTC)
            ),
            Message(b"\x00", "17", "2026-11-23T01:02:03.000456+00:00", {"k": "v"}),
        ),
        (PubsubMessage(b"", {"k": "v"}), Message(b"", None, None, {"k": "v"})),
        (PubsubMessage(b"data", None), Message(b"data", None, None, {})),
    ],
)
def test_pubsub_message(given: PubsubMessage, expected: Message):
    found = from_pubsub(given)
    assert found == expected
    assert pickle.loads(pickle.dumps(found)) == expected


class _SizesFn(beam.DoFn):
    def process(self, element: Message) -> Iterator[tuple[str, int]]:
        yield element.data.decode(), 1

    @beam.DoFn.yields_elements
    def process_batch(self, batch: Batch) -> Iterator[tuple[str, int]]:
        for message in batch:
            yield message.data.decode(), len(batch)


def test_messages_of_a_bundle_become_a_batch():
    published = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    given = [
        TimestampedValue(
            PubsubMessage(b"%d" % second, {}, publish_time=published + timedelta(seconds=second)),
            second,
        )
        for second in range(MAX_MESSAGES + 1)
    ]
    with beam.Pipeline("FnApiRunner") as pipeline:
        received = pipeline | beam.Create([given]) | beam.FlatMap(iter)
        messages = received | "ToMessage" >> beam.ParDo(ToMessageFn())
        found = messages | "Sizes" >> beam.ParDo(_SizesFn())
        assert_that(found, equal_to([(str(n), len(given)) for n in range(len(given))]))


def test_files_of_a_pattern(tmp_path: Path):
    (tmp_path / "a.ndjson").write_bytes(b"1\n2")
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(b"3\n"))
    (tmp_path / "other.txt").write_bytes(b"4\n")
    with beam.Pipeline("FnApiRunner") as pipeline:
        messages = pipeline | "ReadMessages" >> ReadFiles(str(tmp_path / "*.ndjson*"))
        a, b = (f"{file.path}#{file.version}" for file in match(f"{tmp_path}/*.ndjson*"))
        expected = [Message(b"1", f"{a}:0"), Message(b"2", f"{a}:2"), Message(b"3", f"{b}:0")]
        assert_that(messages, equal_to(expected))

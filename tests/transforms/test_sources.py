"""Sources: what becomes of Pub/Sub messages and of the files of a pattern."""

import gzip
import pickle
from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.testing.util import assert_that, equal_to

from pipeline.claims.message import Message
from pipeline.transforms.sources import ReadFiles, from_pubsub


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


def test_files_of_a_pattern(tmp_path: Path):
    (tmp_path / "a.ndjson").write_bytes(b"1\n2")
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(b"3\n"))
    (tmp_path / "other.txt").write_bytes(b"4\n")
    with beam.Pipeline("FnApiRunner") as pipeline:
        messages = pipeline | "ReadMessages" >> ReadFiles(str(tmp_path / "*.ndjson*"))
        expected = [
            Message(b"1", f"{tmp_path}/a.ndjson:0"),
            Message(b"2", f"{tmp_path}/a.ndjson:2"),
            Message(b"3", f"{tmp_path}/b.ndjson.gz:0"),
        ]
        assert_that(messages, equal_to(expected))

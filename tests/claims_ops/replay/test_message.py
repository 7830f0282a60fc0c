"""Rows of the error table back to messages: to the byte, or with the reason why not."""

import gzip
import tracemalloc
from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims_ops.replay.message import COLUMNS, MAX_REQUEST_BYTES, ROOM_BYTES, Replay, replay_of
from pipeline.claims.error_row import error_row
from pipeline.claims.history import history, part_of
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.privacy.redaction import redacted
from tests.support.claims.core import NOW
from tests.support.claims.strategies import BUDGET

REJECTION = Rejection("parse", "invalid_json", "the message is not JSON")
PUBLISHED = "2026-11-23T01:02:03.000004+00:00"


def row_of(message: Message) -> dict[str, Any]:
    """The row of a message as BigQuery gives it back."""
    row = dict.fromkeys(COLUMNS) | error_row(message, REJECTION, NOW)
    if row["publish_time"]:
        row["publish_time"] = datetime.fromisoformat(row["publish_time"])
    return row


def replayed(message: Message) -> Replay:
    replay = replay_of(row_of(message))
    assert isinstance(replay, Replay)
    return replay


def again(message: Message, new_id: str) -> Message:
    """The message that comes in when it is replayed."""
    replay = replayed(message)
    return Message(replay.data, new_id, "2026-11-24T00:00:00+00:00", replay.attributes)


def test_first_replay_names_its_original():
    message = Message(b"{", "17", PUBLISHED, {"source": "a"})
    replay = replayed(message)
    assert replay.data == b"{"
    assert replay.attributes == {
        "source": "a",
        "replay_count": "1",
        "original_message_id": "17",
        "original_publish_time": PUBLISHED,
    }
    assert replay[2:] == ("17", "17", 1, "parse", "invalid_json", None)


def test_second_replay_keeps_the_original():
    message = again(Message(b"{", "17", PUBLISHED, {"source": "a"}), "18")
    replay = replayed(message)
    assert (replay.message_id, replay.original_message_id, replay.replay_count) == ("18", "17", 2)
    assert history(again(message, "19")) == (2, "17", PUBLISHED)


def test_forged_count_still_leads_to_the_original():
    forged = {"replay_count": "999999999", "original_message_id": "5"}
    message = again(Message(b"{", "17", PUBLISHED, forged), "18")
    assert history(message) == (999_999_999, "5", PUBLISHED)


def test_line_of_a_file_has_no_publish_time():
    replay = replayed(Message(b"{", "gs://bucket/claims.ndjson:0"))
    assert replay.attributes == {
        "replay_count": "1",
        "original_message_id": "gs://bucket/claims.ndjson:0",
    }


@BUDGET
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="replace")),
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=20)),
)
def test_any_message_comes_back(data: bytes, attributes: dict[str, str]):
    given_ones = {
        key: value.encode(errors="replace").decode()
        for key, value in attributes.items()
        if "original" not in key
    }
    replay = replayed(Message(data, "17", PUBLISHED, given_ones))
    assert replay.data == data
    assert replay.attributes.items() >= (given_ones | {"replay_count": "1"}).items()


LARGE = 9_990_000
PACKED_ZEROS = gzip.compress(bytes(50 << 20))
"""Unpacks to a thousand times its size."""


@pytest.mark.parametrize(
    "data",
    [
        b"a" * LARGE,
        b'{"a": "' + b"x" * LARGE + b'"}',
        b"\xff" * LARGE,
        Random(1).randbytes(5 << 20),
    ],
    ids=["text", "json", "bytes", "noise"],
)
def test_large_messages_come_back(data: bytes):
    assert replayed(Message(data, "17", PUBLISHED, {})).data == data


def test_noise_that_no_row_holds_is_truncated():
    assert replay_of(row_of(Message(Random(1).randbytes(LARGE), "17"))) == "truncated"


def test_a_redacted_row_is_no_message():
    message = Message(b'{"claim_id": "1"}', "17")
    row = row_of(message)
    assert replay_of(row | redacted(row, message, {"claim_id"})) == "redacted"


@pytest.mark.parametrize(
    "message",
    [
        Message(b"a" * MAX_REQUEST_BYTES, "17"),
        Message(b"\0" * (100 << 20), "claims.ndjson.gz:0"),
        Message(b"{", "17", None, {f"key{number}": "" for number in range(99)}),
        Message(b"{", "gs://bucket/" + "x" * 1_024 + ":0"),
        Message(b"{", "17", None, {"k" * 257: ""}),
    ],
    ids=["limit", "beyond", "attributes", "id", "key"],
)
def test_what_pubsub_would_refuse_is_too_large(message: Message):
    assert replay_of(row_of(message)) == "too_large"


@pytest.mark.parametrize(
    "change",
    [
        {"raw_message": "{}"},
        {"raw_message": None},
        {"raw_message": None, "raw_bytes": b"x", "raw_size": 2},
        {"raw_message": None, "raw_bytes": b"no gzip", "raw_encoding": "gzip"},
        {"raw_message": None, "raw_bytes": gzip.compress(b"{")[:-3], "raw_encoding": "gzip"},
        {"raw_message": None, "raw_encoding": "gzip"},
        {"raw_size": None},
        {"raw_size": -1},
        {"raw_size": "7"},
        {"raw_encoding": "zstd"},
        {"raw_message": "\ud800", "raw_size": 3},
        {"attributes": [{"key": None, "value": "x"}]},
        {"attributes": [{"key": "x", "value": None}]},
        {"attributes": [{"key": "\ud800", "value": "x"}]},
        {"raw_message": None, "raw_bytes": PACKED_ZEROS, "raw_encoding": "gzip"},
        {"message_id": None, "original_message_id": None},
    ],
)
def test_a_row_that_does_not_give_what_it_says_is_damaged(change: dict[str, Any]):
    tracemalloc.start()
    try:
        assert replay_of(row_of(Message(b"{", "17")) | change) == "damaged"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "change, count",
    [
        ({"attributes": None}, 1),
        ({"raw_encoding": None}, 1),
        ({"replay_count": -7}, 1),
        ({"replay_count": 1 << 62}, 999_999_999),
        ({"stage": None, "error_code": None}, 1),
    ],
)
def test_an_odd_row_that_still_gives_its_message_is_replayed(change: dict[str, Any], count: int):
    replay = replay_of(row_of(Message(b"{", "17")) | change)
    assert isinstance(replay, Replay)
    assert (replay.data, replay.replay_count) == (b"{", count)
    assert None not in replay[:-1]  # but for the claim index of a whole message


def test_a_row_of_an_early_version_has_fewer_columns():
    row = row_of(Message(b"{", "17"))
    least = {name: row[name] for name in ("message_id", "stage", "error_code")}
    assert replay_of(least) == "damaged"
    replay = replay_of(least | {"raw_message": "{", "raw_size": 1})
    assert isinstance(replay, Replay)
    assert replay.attributes == {"replay_count": "1", "original_message_id": "17"}


def test_size_is_never_less_than_that_of_the_request():
    from google.pubsub_v1 import PublishRequest, PubsubMessage

    attributes = {"k" * size: "v" * size for size in (1, 100, 200)}
    replays = [
        replayed(Message(b"x" * size, "17", PUBLISHED, attributes)) for size in (0, 1, 70000)
    ]
    request = PublishRequest(
        topic=f"projects/{'p' * 30}/topics/{'t' * 255}",
        messages=[PubsubMessage(data=each.data, attributes=each.attributes) for each in replays],
    )
    whole = PublishRequest.pb(request).ByteSize()
    del request.messages[:]
    empty = PublishRequest.pb(request).ByteSize()
    assert whole - empty <= sum(each.size for each in replays)
    assert empty <= MAX_REQUEST_BYTES - ROOM_BYTES


def test_attributes_of_a_producer_become_no_history():
    """A replay with them was taken for one of several claims, and no map was applied to it."""
    own = {"claim_index": "1", "claims_in_message": "3", "map_version": "2", "source": "a"}
    message = Message(b"{", "17", PUBLISHED, own)
    assert part_of(message) is None
    replay = again(message, "18")
    assert part_of(replay) is None
    assert "map_version" not in replay.attributes
    assert replay.attributes["source"] == "a"
    row = row_of(message._replace(attributes={"original_publish_time": PUBLISHED}))
    found = replay_of({**row, "publish_time": None})
    assert isinstance(found, Replay) and "original_publish_time" not in found.attributes

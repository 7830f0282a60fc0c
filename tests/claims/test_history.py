"""What the attributes of a message say of its replays, and what they cannot say."""

import pytest

from pipeline.claims.history import (
    ORIGINAL_MESSAGE_ID,
    ORIGINAL_PUBLISH_TIME,
    REPLAY_COUNT,
    history,
)
from pipeline.claims.message import Message

PUBLISHED = "2026-11-23T00:00:00+00:00"
FIRST_PUBLISHED = "2026-11-20T00:00:00+00:00"


def replayed(**changes: str | None) -> Message:
    attributes = {
        REPLAY_COUNT: "1",
        ORIGINAL_MESSAGE_ID: "5",
        ORIGINAL_PUBLISH_TIME: FIRST_PUBLISHED,
        **changes,
    }
    given = {name: value for name, value in attributes.items() if value is not None}
    return Message(b"", "7", PUBLISHED, given)


def test_a_replay_knows_its_original():
    assert history(replayed()) == (1, "5", FIRST_PUBLISHED)


def test_an_ordinary_message_has_no_history():
    assert history(Message(b"", "7", PUBLISHED, {"source": "x"})) == (0, None, PUBLISHED)
    assert history(Message(b"", "claims.ndjson:0")) == (0, None, None)


@pytest.mark.parametrize(
    ("text", "count"), [("1", 1), ("007", 7), ("999999999", 999999999), ("2", 2)]
)
def test_counts(text: str, count: int):
    assert history(replayed(replay_count=text)) == (count, "5", FIRST_PUBLISHED)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "", "-1", "+1", " 1", "1.0", "two", "\u0661", "\u00b2", "1_0"),
        *("1234567890", "9" * 5000, None),
    ],
)
def test_what_is_no_count_is_no_replay(text: str | None):
    assert history(replayed(replay_count=text)) == (0, None, PUBLISHED)


@pytest.mark.parametrize("original", ["", None])
def test_without_an_original_it_is_no_replay(original: str | None):
    assert history(replayed(original_message_id=original)) == (0, None, PUBLISHED)


@pytest.mark.parametrize(
    "text",
    [
        *("", "noon", "2026-11-20", "2026-11-20T00:00:00", "2026-02-30T00:00:00Z", None),
        *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "1795471321", "9" * 5000),
    ],
)
def test_a_time_that_no_column_takes_is_passed_over(text: str | None):
    """Or the row would be refused by the claims table, and by the error table too."""
    assert history(replayed(original_publish_time=text)) == (1, "5", PUBLISHED)


def test_times_come_back_in_utc():
    given = replayed(original_publish_time="2026-11-20T02:00:00.123456+02:00")
    assert history(given)[2] == "2026-11-20T00:00:00.123456+00:00"

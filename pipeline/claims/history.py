"""What a message says of its past: how often it was replayed, and which message it was at first.

`claims replay` publishes these attributes beside those of the original message.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.claims.columns import Columns
from pipeline.claims.message import Message, Part

REPLAY_COUNT = "replay_count"
"""How often the message was replayed: 1 for the first time."""
ORIGINAL_MESSAGE_ID = "original_message_id"
"""The id that the message had before its first replay."""
ORIGINAL_PUBLISH_TIME = "original_publish_time"
"""When Pub/Sub took it then; left out for a line of a file."""
CLAIM_INDEX, CLAIMS_IN_MESSAGE, MAP_VERSION = Part._fields
"""Of a replay of one claim among many, or of a claim that a map has made: what `Part` says."""
MAX_REPLAY_COUNT = 999_999_999
"""A larger count is no count of ours."""


def history(message: Message) -> tuple[int, str | None, str | None]:
    """Replay count, original message id, and when Pub/Sub first took the message.

    The id is None where the message is no replay. Producers may use these names for something
    else: what `claims replay` cannot have written counts as absent.
    """
    attributes = message.attributes
    if ORIGINAL_MESSAGE_ID not in attributes:
        return 0, None, message.publish_time
    count = _count(attributes.get(REPLAY_COUNT, ""))
    original = attributes[ORIGINAL_MESSAGE_ID]
    if not count or not original:
        return 0, None, message.publish_time
    return count, original, _time(attributes.get(ORIGINAL_PUBLISH_TIME)) or message.publish_time


def part_of(message: Message) -> Part | None:
    """Which part of a message this is, by the step that split it or by the replay of that part.

    A part with the version of a map is a claim that is not to be mapped again.
    """
    if message.part is not None or CLAIMS_IN_MESSAGE not in message.attributes:
        return message.part
    count, _, _ = history(message)
    attributes = message.attributes
    index, claims = attributes.get(CLAIM_INDEX, ""), _count(attributes[CLAIMS_IN_MESSAGE])
    if not count or not claims or (index != "0" and not _count(index)):
        return None
    return Part(_count(index), claims, attributes.get(MAP_VERSION) or None)


def history_columns(messages: Sequence[Message], map_version: str | None) -> Columns:
    """The columns of each message's past and part; `map_version` is that of the job's own map."""
    _, originals, published = zip(*map(history, messages), strict=True)
    whole = Part(None, None, map_version)
    parts = [part_of(message) or whole for message in messages]
    return {
        ORIGINAL_MESSAGE_ID: originals,
        "publish_time": published,
        **dict(zip(Part._fields, map(list, zip(*parts, strict=True)), strict=True)),
    }


def _count(text: str) -> int:
    is_count = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_REPLAY_COUNT))
    return int(text) if is_count else 0


def _time(text: str | None) -> str | None:
    """A time that every TIMESTAMP column takes, or None."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else None
    except (ValueError, OverflowError):  # no time, or beyond the years 1 to 9999
        return None

"""From a row of the error table to the message that is published again."""

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.claims.error_row import REDACTED, TRUNCATED
from pipeline.claims.history import (
    CLAIM_INDEX,
    CLAIMS_IN_MESSAGE,
    MAP_VERSION,
    MAX_REPLAY_COUNT,
    ORIGINAL_MESSAGE_ID,
    ORIGINAL_PUBLISH_TIME,
    REPLAY_COUNT,
)

MAX_REQUEST_BYTES = 10_000_000
"""Pub/Sub refuses a larger publish request. This and what follows: "Pub/Sub quotas and limits"."""
MAX_REQUEST_MESSAGES = 1_000
_MAX_ATTRIBUTES = 100
_MAX_KEY_BYTES, _MAX_VALUE_BYTES = 256, 1_024
_BEFORE_CLAIMS = ("parse", "map")
"""Stages whose rows keep documents that a map is still to read."""
_HISTORY = (ORIGINAL_PUBLISH_TIME, CLAIM_INDEX, CLAIMS_IN_MESSAGE, MAP_VERSION)
"""Attributes that the replay of a whole message has from its row alone."""
_REQUEST_OVERHEAD_BYTES = 1_000
"""More than a request has beside its messages: the name of the topic, at most 255 characters."""
_GZIP = 16 + zlib.MAX_WBITS
_FIELD_OVERHEAD_BYTES = 6
"""At most: tag and length of a field of protobuf."""

COLUMNS = (
    *("message_id", "original_message_id", "publish_time", "stage", "error_code", "replay_count"),
    *("raw_message", "raw_bytes", "raw_encoding", "raw_size", "attributes"),
    *("claim_index", "claims_in_message", "map_version"),
)
"""What `replay_of` reads of a row."""


class Replay(NamedTuple):
    """A message to publish, and where it comes from."""

    data: bytes
    attributes: dict[str, str]
    message_id: str
    """That of the row."""
    original_message_id: str
    replay_count: int
    stage: str
    error_code: str
    claim_index: int | None = None
    """Which of several claims in the original message it is."""

    @property
    def size(self) -> int:
        """Bytes of a publish request that it takes, at most."""
        fields = [len(self.data)]
        for key, value in self.attributes.items():
            fields += (len(key.encode()), len(value.encode()), _FIELD_OVERHEAD_BYTES)
        return sum(fields) + _FIELD_OVERHEAD_BYTES * (len(fields) + 1)


ROOM_BYTES = MAX_REQUEST_BYTES - _REQUEST_OVERHEAD_BYTES
"""What the messages of a request may take together, by `Replay.size`."""


def replay_of(row: Mapping[str, Any]) -> Replay | str:
    """The original message, to the byte, with its attributes and its history; or why not.

    The reasons: `truncated`, when the row holds only the beginning; `redacted`, when it holds no
    values; `damaged`, when the row does not give a message as it says; `too_large`, when Pub/Sub
    would refuse it. Rows may be of an early version of the table, or forged.
    """
    if row.get("raw_encoding") in (TRUNCATED, REDACTED):
        return str(row["raw_encoding"])
    try:
        if (row.get("raw_size") or 0) > MAX_REQUEST_BYTES:  # before it is unpacked
            return "too_large"
        return _replay(row)
    except (zlib.error, TypeError, ValueError, KeyError, AttributeError):
        return "damaged"


def _replay(row: Mapping[str, Any]) -> Replay | str:
    data = message_data(row)
    if data is None:
        return "damaged"
    original = row.get("original_message_id") or row["message_id"]
    count = min(max(row.get("replay_count") or 0, 0) + 1, MAX_REPLAY_COUNT)
    history = {REPLAY_COUNT: str(count), ORIGINAL_MESSAGE_ID: original}
    if row.get("publish_time"):
        history[ORIGINAL_PUBLISH_TIME] = row["publish_time"].isoformat()
    if row.get("claims_in_message"):  # the row keeps this claim of the message alone
        history[CLAIM_INDEX] = str(row["claim_index"])
        history[CLAIMS_IN_MESSAGE] = str(row["claims_in_message"])
        if row["stage"] not in _BEFORE_CLAIMS and row.get("map_version"):
            history[MAP_VERSION] = row["map_version"]
    attributes = {each["key"]: each["value"] for each in row.get("attributes") or ()}
    # A producer's own attributes with these names are not history, and must not become history.
    for name in _HISTORY if not row.get("claims_in_message") else ():
        attributes.pop(name, None)
    attributes |= history
    place = (row["message_id"], original, count, row["stage"] or "", row["error_code"] or "")
    replay = Replay(data, attributes, *place, row.get("claim_index"))
    return replay if _fits(replay) else "too_large"


def message_data(columns: Mapping[str, Any]) -> bytes | None:
    """The message that `raw_columns` has put into these columns, to the byte; None if not whole.

    None also where the columns contradict each other: they may have been edited, or forged to
    unpack to gigabytes. A row of an early version may lack some of them.

    Raises:
        zlib.error, TypeError, ValueError: what the columns hold is no message.
    """
    encoding, size = columns.get("raw_encoding"), columns.get("raw_size")
    text, data = columns.get("raw_message"), columns.get("raw_bytes")
    if encoding not in (None, "identity", "gzip") or type(size) is not int or size < 0:
        return None
    if text is not None:
        data = text.encode()
    elif data is not None and encoding == "gzip":
        unpacker = zlib.decompressobj(wbits=_GZIP)
        data = unpacker.decompress(data, size + 1)
        if not unpacker.eof:  # cut off, or more in it than the row says
            return None
    return data if data is not None and len(data) == size else None


def _fits(replay: Replay) -> bool:
    attributes = replay.attributes
    return (
        replay.size <= ROOM_BYTES
        and len(attributes) <= _MAX_ATTRIBUTES
        and all(len(key.encode()) <= _MAX_KEY_BYTES for key in attributes)
        and all(len(value.encode()) <= _MAX_VALUE_BYTES for value in attributes.values())
    )

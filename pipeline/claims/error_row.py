"""The row of the error table: a rejection with its message, whole and replayable."""

import gzip
from typing import Any

from pipeline.claims.history import history, part_of
from pipeline.claims.message import Beginning, Message, Part, StructureOnly, size_of
from pipeline.claims.rejection import Rejection

TEXT_LIMIT = 1 << 20
"""Bytes of a message that are kept as text; a larger one is kept as bytes.

Control characters take six bytes each in the JSON of a streaming insert, and must fit too.
"""
TRUNCATED, REDACTED = "truncated", "redacted"
"""Values of `raw_encoding` from which no message can be had back."""
RAW_LIMIT = 6 << 20
"""Bytes that `raw_bytes` holds at most: as base64 they fit the 9 MB of a streaming insert."""


def message_columns(message: Message) -> dict[str, Any]:
    """The columns that hold a message, or as much of it as may be kept."""
    if isinstance(message, StructureOnly):
        structure = message.data.decode() or None
        return {"raw_message": structure, "raw_encoding": REDACTED, "raw_size": message.size}
    return {**raw_columns(message.data), "raw_size": size_of(message.data)}


def raw_columns(data: bytes) -> dict[str, Any]:
    """The columns that hold a message: as text if it is text, else as bytes.

    `raw_encoding` tells how to get the message back: `identity`, `gzip`, or `truncated` when
    even compressed it is too large and only its first `RAW_LIMIT` bytes are kept.
    """
    if isinstance(data, Beginning):
        return {"raw_bytes": data[:RAW_LIMIT], "raw_encoding": TRUNCATED}
    if len(data) <= TEXT_LIMIT:
        try:
            return {"raw_message": data.decode(), "raw_encoding": "identity"}
        except UnicodeDecodeError:
            return {"raw_bytes": data, "raw_encoding": "identity"}
    packed = gzip.compress(data, compresslevel=6, mtime=0)
    if len(packed) <= RAW_LIMIT:
        return {"raw_bytes": packed, "raw_encoding": "gzip"}
    if len(data) <= RAW_LIMIT:
        return {"raw_bytes": data, "raw_encoding": "identity"}
    return {"raw_bytes": data[:RAW_LIMIT], "raw_encoding": TRUNCATED}


def error_row(message: Message, rejection: Rejection, error_timestamp: str) -> dict[str, Any]:
    """One row of the error table, but for the columns that are the same for a whole job.

    `error_timestamp` is RFC 3339, UTC.
    """
    replay_count, original_message_id, publish_time = history(message)
    return {
        "error_timestamp": error_timestamp,
        "stage": rejection.stage,
        "error_code": rejection.error_code,
        "error": rejection.error,
        "violations": [violation._asdict() for violation in rejection.violations],
        "claim_id": rejection.claim_id,
        **message_columns(message),
        "message_id": message.message_id,
        "original_message_id": original_message_id,
        "publish_time": publish_time,
        "attributes": [
            {"key": key, "value": value} for key, value in sorted(message.attributes.items())
        ],
        "replay_count": replay_count,
        **(part_of(message) or Part(None, None))._asdict(),
    }

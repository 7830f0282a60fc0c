"""The input formats, by the names of the launch parameter `input_format`."""

import io
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from pipeline.claims.formats import delimited, json_lines, x12
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.formats.document import decode_document
from pipeline.claims.formats.json_documents import rejection
from pipeline.claims.mapping.mapper import Documents
from pipeline.claims.message import Message, Unreadable

MAX_DOCUMENT_BYTES = 128 << 20
"""Of the documents of one message: each claim repeats what it stands under."""
_CLAIM_BYTES = 1_000
"""Counted for each in addition to its text: even the smallest becomes a claim with all fields."""


class Format(NamedTuple):
    """One format."""

    read: Callable[[IO[bytes], str, Dialect], Iterator[Message]]
    """The messages of an unpacked file, whose name begins their ids."""
    decode: Callable[[bytes], Any]
    """The document of a message, the `Documents` of one that holds several, or a `Rejection`."""
    has_messages: bool
    """Whether Pub/Sub messages may be in this format, too."""
    claim_map: str | None = None
    """The packaged map that is used where none is given."""


def _decode_x12(data: bytes) -> Any:
    """The documents of an interchange; or one of them alone, as JSON, which a replay brings.

    Where any part of a message cannot be read, none of it is: it can be sent again.
    """
    if isinstance(data, Unreadable) or data.lstrip().startswith((b"{", b"\xef\xbb\xbf{")):
        return decode_document(data)
    documents, size = Documents(), 0
    for message in x12.read(io.BytesIO(data), ""):
        if isinstance(message.data, Unreadable):
            return rejection(message.data.error_code)
        size += len(message.data) + _CLAIM_BYTES
        if size > MAX_DOCUMENT_BYTES:
            return rejection("x12_too_large")
        documents.append(message.data)
    return documents or rejection("empty_message" if not data.strip() else "not_837")


FORMATS: Mapping[str, Format] = {
    "JSON": Format(lambda file, name, _: json_lines.read(file, name), decode_document, True),
    "CSV": Format(delimited.read, decode_document, False),
    "X12": Format(lambda file, name, _: x12.read(file, name), _decode_x12, True, "x12_837"),
}

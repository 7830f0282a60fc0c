"""What must hold for claims in other shapes, whatever the bytes are."""

import io
import json
from dataclasses import replace
from functools import cache
from typing import Any
from unittest import mock

from pipeline.claims.formats import delimited, unreadable, x12
from pipeline.claims.formats.json_documents import ERRORS
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message, Unreadable
from pipeline.claims.stages import Stage, decide
from pipeline.settings import Settings
from tests.support.claims.core import CONTRACT, RULES

_PLAIN = Settings(CONTRACT, RULES, 0.5, "0.0.0")
_NAMES = {"map": ("fhir_r4_bundle", "flat_json_example", "csv_example"), "x12": ("x12_837",)}
_CODES = {"parse": {*ERRORS, *unreadable.ERRORS}, "map": {"no_claim", "map_failed"}}


@cache
def _stages(name: str) -> list[Stage]:
    settings = replace(_PLAIN, claim_map=ClaimMap.packaged(name))
    return list(settings.stages(lambda: "2026-11-23T12:00:00.000+00:00"))


def _mapped(name: str, message: Message) -> None:
    """One outcome for each claim, of parts that are all there, and no surprise."""
    parse, mapping, validate, enrich = _stages(name)
    parsed = decide(parse, [message], [message])
    mapped = decide(mapping, parsed.messages, parsed.outcomes)
    for decided in (parsed, mapped):
        for _, rejection in decided.rejected:
            assert rejection.error_code in _CODES[rejection.stage]
    everything = [*mapped.messages, *(message for message, _ in mapped.rejected)]
    parts = [message.part for message in everything if message.part is not None]
    assert sorted(part.claim_index or 0 for part in parts) == list(range(len(parts)))
    assert {part.claims_in_message for part in parts} <= {len(parts)}
    rejected = []
    if mapped.messages:
        validated = decide(validate, mapped.messages, mapped.outcomes)
        rejected += validated.rejected
        if validated.messages:
            rejected += decide(enrich, validated.messages, validated.outcomes).rejected
    for _, rejection in rejected:
        assert rejection.error_code != "internal_error"


def check_map(data: bytes) -> None:
    """Documents through the packaged maps."""
    for name in _NAMES["map"]:
        _mapped(name, Message(data, "7"))


def _places(messages: list[Message], data: bytes) -> None:
    offsets = [int(str(message.message_id).removeprefix("f:")) for message in messages]
    assert offsets == sorted(set(offsets))
    assert not offsets or offsets[-1] <= len(data)
    for message in messages:
        if isinstance(message.data, Unreadable):
            assert message.data.error_code in unreadable.ERRORS


def check_csv(data: bytes) -> None:
    """Rows are objects of text with the names of the header, or say why not."""
    messages = list(delimited.read(io.BytesIO(data), "f", delimited.Dialect()))
    _places(messages, data)
    rows = [json.loads(each.data) for each in messages if type(each.data) is bytes]
    assert len({tuple(row) for row in rows}) <= 1
    assert all(type(value) is str for row in rows for value in row.values())


def check_x12(data: bytes) -> None:
    """Claims are the same in pieces of any size, and a map and the contract judge each of them."""
    messages: list[Any] = list(x12.read(io.BytesIO(data), "f"))
    _places(messages, data)
    with mock.patch.object(x12, "CHUNK_BYTES", 7), mock.patch.object(x12, "_HEAD_BYTES", 1 << 14):
        assert list(x12.read(io.BytesIO(data), "f")) == messages
    for message in messages:
        if type(message.data) is bytes:
            _mapped(_NAMES["x12"][0], message)

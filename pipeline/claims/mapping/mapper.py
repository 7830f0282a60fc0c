"""Documents to claims by a map, each claim with the message that it came in."""

import json
from collections.abc import Sequence
from itertools import starmap
from typing import Any

import orjson

from pipeline.claims.contract import Contract, is_nullable
from pipeline.claims.formats.json_documents import rejection
from pipeline.claims.history import part_of
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message, Part, json_data
from pipeline.claims.rejection import Rejection


class Documents(list[bytes]):
    """The documents of a message that holds several, as an X12 interchange does: each as JSON.

    Decoded, they take ten times the memory, so only one at a time is decoded.
    """


class Mapper:
    """Applies a map to the documents of messages."""

    def __init__(self, claim_map: ClaimMap, contract: Contract) -> None:
        self._map = claim_map
        # JSONata leaves out what is undefined: of a claim that it makes, a missing field is null.
        self._nullable = [
            name
            for name in contract.document.get("required", ())
            if is_nullable(contract.properties.get(name, {}))
        ]
        self.skipped = 0
        """Documents so far in which the map says that there is no claim to have."""

    def apply(
        self, messages: Sequence[Message], documents: Sequence[Any]
    ) -> tuple[Sequence[Message], Sequence[dict[str, Any] | Rejection]]:
        """Claims and rejections in the order of the messages, each with its message.

        Of a message that holds one claim, that is the message as it came. Of one among several it
        is that claim alone, as JSON, so that its replay doubles none of its neighbours; and so it
        is of the replay of one document among several. A message without a claim to have is left
        out.
        """
        outcomes = list(starmap(self._outcome, zip(messages, documents, strict=True)))
        if list not in map(type, outcomes):
            return messages, outcomes
        own: list[Message] = []
        every: list[dict[str, Any] | Rejection] = []
        for message, outcome in zip(messages, outcomes, strict=True):
            if type(outcome) is list:
                for place, (data, claim) in enumerate(outcome):
                    is_claim = type(claim) is dict
                    place_and_count = _place(part_of(message), place, len(outcome))
                    part = Part(*place_and_count, self._map.version if is_claim else None)
                    own.append(message._replace(data=data, part=part))
                    every.append(claim)
            else:
                own.append(message)
                every.append(outcome)
        return own, every

    def _outcome(self, message: Message, document: Any) -> Any:
        """A claim or rejection; or a list of several, each with the bytes that hold it alone."""
        part = part_of(message) if message.attributes else message.part
        if type(document) is Documents:
            size = len(message.data)
            found = [pair for each in document for pair in self._claims(each, size)]
        else:
            if part is not None and part.map_version is not None:
                return document if type(document) is dict else rejection("not_an_object")
            claims = self._map.claims(document, len(message.data))
            if type(claims) is tuple and part is None:  # one claim, as most are
                return self._whole(claims[0])
            if isinstance(claims, Rejection):
                return claims
            found = [(None, self._whole(claim)) for claim in claims]
        if not found:
            self.skipped += 1
            return found
        if len(found) == 1 and part is None:
            return found[0][1]
        return [(_data(*pair), pair[1]) for pair in found]

    def _claims(
        self, document: bytes, size: int
    ) -> list[tuple[bytes | None, dict[str, Any] | Rejection]]:
        """The claims in a document; beside a rejection, the document itself."""
        claims = self._map.claims(orjson.loads(document), size)
        if isinstance(claims, Rejection):
            return [(document, claims)]
        return [(None, self._whole(claim)) for claim in claims]

    def _whole(self, claim: dict[str, Any]) -> dict[str, Any]:
        """A claim that the engine has made for nobody else, with every required field."""
        for name in self._nullable:
            claim.setdefault(name)
        return claim


def _place(before: Part | None, place: int, count: int) -> tuple[int, int]:
    """The index of one of several claims in a message, and how many there are.

    The message may be the replay of one document among several, of which no claim could be made
    before. Its first claim has the document's place; the others have places behind all of the
    message's that no other document of it gives away.
    """
    if before is None or before.claim_index is None or before.claims_in_message is None:
        return place, count
    documents = before.claims_in_message
    return before.claim_index + place * documents, documents + count - 1


def _data(document: bytes | None, claim: Any) -> bytes:
    if document is not None:
        return document
    try:
        return json_data(claim)
    except orjson.JSONEncodeError:  # nested 255 levels deep
        return json.dumps(claim, ensure_ascii=False).encode()

"""The fields that `pseudonymise` names: found in messages, rejections and rows, and replaced there.

A message is rebuilt with pseudonyms before any step passes it on. Where that cannot be done without
a doubt, nothing but its structure is kept: it is `StructureOnly`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import orjson

from pipeline.claims.columns import Columns
from pipeline.claims.contract import ADDITIONAL_FIELDS, Contract, Fields
from pipeline.claims.document_text import DocumentError
from pipeline.claims.message import Message, json_data
from pipeline.claims.normalise import normaliser
from pipeline.claims.rejection import Rejection, Violation
from pipeline.claims.validate import STAGE
from pipeline.privacy.pseudonyms import PREFIX, PSEUDONYM_LENGTH, Pseudonyms
from pipeline.privacy.redaction import structure_only
from pipeline.privacy.resembling_keys import MAX_ENTRIES, Number, ResemblingKeys, TooManyValues

FOREIGN = "foreign_pseudonym"
_ANOTHER_KEY = "contains a pseudonym that was made with a different key"
_REFERS = "x-refers-to"
"""The keyword of a field whose values are those of another field of other claims."""
_SHORTEST_KEY = 24
"""Letters of a text that may be a key."""
TOO_MANY = "too_many_named_values"
_MORE = f"more than {MAX_ENTRIES} values have keys that resemble a pseudonymised field"
_SHARED = ("$schema", "$id", "$defs", "definitions")
"""What properties of a JSON Schema may refer to."""


def check_names(text: str, contract: Contract) -> tuple[str, ...]:
    """The field names of a comma-separated list, each of which can hold a pseudonym.

    A field that refers to one of them comes along, as `original_claim_id` does with `claim_id`:
    it holds the same values, and stays linked by the same pseudonyms.

    Raises:
        DocumentError: names the field, and why it cannot; of a long name that is none only where it
            stands, for it may be the key itself.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    texts = contract.names("STRING")
    referring = (name for name in texts if contract.properties[name].get(_REFERS) in names)
    names = tuple(dict.fromkeys((*names, *referring)))
    for number, name in enumerate(names, 1):
        if name not in contract.properties:
            shown = name if len(name) < _SHORTEST_KEY else f"name {number}"
            raise DocumentError(shown, "is not a field of the claim schema")
        if name not in texts:
            raise DocumentError(name, "cannot hold a pseudonym, because its column is not a STRING")
        sample = PREFIX + "A" * (PSEUDONYM_LENGTH - len(PREFIX))
        if part_of(contract, (name,)).accept([{name: sample}]) != [True]:
            reason = (
                f"the claim schema does not allow a pseudonym ({PSEUDONYM_LENGTH} characters"
                " from A-Z a-z 0-9 - _)"
            )
            raise DocumentError(name, reason)
    return names


def part_of(contract: Contract, names: Collection[str]) -> Contract:
    """What a contract says of some fields, each for itself."""
    document = {key: contract.document[key] for key in _SHARED if key in contract.document}
    properties = {name: contract.properties[name] for name in names}
    return Contract(json.dumps({**document, "type": "object", "properties": properties}))


class NamedFields:
    """Replaces the values of named fields of one contract."""

    def __init__(self, contract: Contract, names: tuple[str, ...], pseudonyms: Pseudonyms) -> None:
        self.names = names
        self._pseudonyms = pseudonyms
        self._meant = {name: contract.properties[name].get(_REFERS, name) for name in names}
        self._records = contract.records
        self._known = frozenset(contract.properties)
        self._numbers = contract.names("NUMERIC", "BIGNUMERIC", "INTEGER", "FLOAT")
        self._texts = (*contract.names("JSON"), ADDITIONAL_FIELDS)
        self._lists = set(contract.objects).difference(self._texts)
        self._part = part_of(contract, names)
        self._normalise = normaliser(self._part)
        self._resembling = ResemblingKeys(names, self.of)

    def of(self, name: str, text: str) -> str:
        """The pseudonym of a field's value; of one that names another claim, that of its id."""
        return self._pseudonyms.of(self._meant.get(name, name), text)

    def is_pseudonym(self, name: str, text: str | None) -> bool:
        return self._pseudonyms.is_own(self._meant.get(name, name), text)

    def message(self, message: Message, fields: dict[str, Any] | Any) -> Message:
        """The message with pseudonyms in place of values. Never raises.

        `fields` is what the message was decoded to. Unless that is a dict, only the structure of
        the message is kept. The same goes for a value that the contract refuses, whose pseudonym
        would pass for that of a valid one.
        """
        message = message._replace(attributes=self._resembling.replaced(message.attributes))
        data = None
        if type(fields) is dict:
            with suppress(Exception):  # whatever it is, the message must not travel on as it came
                data = self._data(message.data, fields)
        if data is None:
            return structure_only(message, self._known)
        return message._replace(data=data)

    def _data(self, data: bytes, fields: dict[str, Any]) -> bytes | None:
        values = self._normalise({n: fields[n] for n in self.names if n in fields})
        if self._part.accept([values]) != [True] or self._foreign(values):
            return None
        if self._is_plain(fields):
            document = dict(fields)
        else:
            self._resembling.check(fields)  # before the message is decoded once more
            document = self._exact_document(data)
        for name, value in values.items():
            if value is not None:
                document[name] = self.of(name, value)
        return json_data(document, _as_number, orjson.OPT_PASSTHROUGH_SUBCLASS)

    def _is_plain(self, fields: Mapping[str, Any]) -> bool:
        """Whether all there is are known fields that hold no key and no digit beyond a double."""
        for name, value in fields.items():
            kind = type(value)
            if kind is list:
                if not all(type(item) is str for item in value):
                    return False
            elif kind is dict or (kind is float and name not in self._numbers):
                return False
        return fields.keys() <= self._known

    def _exact_document(self, data: bytes) -> dict[str, Any]:
        """The JSON object of a message: numbers to the digit, named fields within it replaced."""
        document: dict[str, Any] = json.loads(
            data.decode("utf-8-sig"), parse_int=Number, parse_float=Number
        )
        unknown = {name: value for name, value in document.items() if name not in self._known}
        self._resembling.replace_within(unknown)
        self._resembling.replace_within(
            [document[name] for name in document if name in self._known]
        )
        return {**document, **unknown}

    def _foreign(self, values: Mapping[str, Any]) -> list[str]:
        return [
            name
            for name, value in values.items()
            if type(value) is str and self._pseudonyms.is_foreign(self._meant[name], value)
        ]

    def refused(self, fields: Mapping[str, Any]) -> Rejection | None:
        """The rejection of a message that cannot have pseudonyms of our key; None if it can.

        It has some of another key, or too many values would have to be replaced.
        """
        names = self._foreign({n: fields[n] for n in self.names if n in fields})
        if names:
            found = tuple(Violation(name, FOREIGN, _ANOTHER_KEY) for name in names)
            return Rejection(STAGE, FOREIGN, f"{names[0]}: {_ANOTHER_KEY}", found)
        try:
            if not self._is_plain(fields):
                self._resembling.check(fields)
        except TooManyValues:
            return Rejection(STAGE, TOO_MANY, _MORE)
        return None

    def rejection(self, rejection: Rejection) -> Rejection:
        if rejection.claim_id and "claim_id" in self.names:
            return rejection._replace(claim_id=self.of("claim_id", rejection.claim_id))
        return rejection

    def replaced(self, columns: Columns) -> dict[str, Sequence[Any]]:
        """The columns of rows of the claims table, with pseudonyms."""
        new = dict(columns)
        for name in self.names:
            new[name] = [None if text is None else self.of(name, text) for text in columns[name]]
        for name in self._texts:
            new[name] = [text if text is None else self._json_text(text) for text in columns[name]]
        for name in self._lists:
            new[name] = [list(map(self._json_text, items)) for items in columns[name]]
        for name, of_record in self._records.items():
            if any(columns[name]):
                new[name] = [
                    [self._record(record, of_record) for record in records]
                    for records in columns[name]
                ]
        return new

    def _record(self, record: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
        """A record of a claim, such as a line, with pseudonyms in its texts."""
        new = dict(record)
        texts = {name: new[name] for name in fields.names("STRING")}
        self._resembling.replace_within(texts)
        for name in fields.objects:
            new[name] = new[name] and self._json_text(new[name])
        return new | texts

    def _json_text(self, text: str) -> str:
        document = orjson.loads(text)
        self._resembling.replace_within(document)
        try:
            return orjson.dumps(document).decode()
        except orjson.JSONEncodeError:  # from 255 levels on
            return json.dumps(document, ensure_ascii=False)


def _as_number(value: Any) -> orjson.Fragment:
    if isinstance(value, (Number, Decimal)):
        return orjson.Fragment(str(value))
    raise TypeError

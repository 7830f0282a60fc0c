"""From the fields of a message to a claim: every field of the contract, in its one spelling."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pipeline.claims.contract import ADDITIONAL_FIELDS, Contract
from pipeline.claims.json_text import json_column, json_text
from pipeline.claims.normalise import Normaliser
from pipeline.claims.records import complete
from pipeline.claims.rejection import Rejection

__all__ = ["ADDITIONAL_FIELDS", "STAGE", "ClaimValidator"]

STAGE = "validate"

_MISSPELT: Mapping[str, set[type]] = {"INTEGER": {float, Decimal}, "FLOAT": {Decimal}}

_PLACE = re.compile(r"\[\d+\]")
_TOO_DEEP = Rejection(STAGE, "nesting_too_deep", "arrays or objects are nested too deeply")


class ClaimValidator:
    """Judges the fields of messages by one contract."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._normaliser = Normaliser(contract)
        # What JSON Schema lets pass in another spelling than its column's: it takes 45.0 for an
        # integer, and a claim holds 45.
        self._misspelt = [
            (column.name, {list} if column.mode == "REPEATED" else _MISSPELT[column.type])
            for column in contract.columns
            if column.type in _MISSPELT
        ]
        self._blank = {**contract.blank, ADDITIONAL_FIELDS: None}
        self._objects = [column.name for column in contract.columns if column.type == "JSON"]

    def validate(self, fields: dict[str, Any]) -> dict[str, Any] | Rejection:
        """The claim, or the rejection with all that is wrong with it.

        A claim has every field of the contract, null where the message has none, and the
        fields that the contract does not know as JSON text in `additional_fields`.
        """
        try:
            try:
                if self._is_canonical(fields):
                    return self._claim(fields)
                accepted = self._accept_normalised(fields)
            except ValueError:  # nested deeper than the validator looks
                accepted = self._accept_known(fields)
            return accepted if isinstance(accepted, Rejection) else self._claim(accepted)
        except (ValueError, RecursionError):
            return _TOO_DEEP

    def validate_all(self, many: Sequence[dict[str, Any]]) -> list[dict[str, Any] | Rejection]:
        """The same for each of several messages, in less time for those that are canonical."""
        if self._objects:
            return list(map(self.validate, many))
        try:
            accepted = self._contract.accept(many)
        except ValueError:  # nested deeper than the validator looks
            return list(map(self.validate, many))
        claims: list[dict[str, Any] | Rejection] = [self._blank | fields for fields in many]
        for place, is_plain in enumerate(self._are_plain(many, accepted, claims)):
            if not is_plain:
                claims[place] = self.validate(many[place])
        return claims

    def _are_plain(
        self, many: Sequence[dict[str, Any]], accepted: list[bool], claims: Sequence[Any]
    ) -> list[bool]:
        """Of each claim, whether it has just the fields of the contract, in their spelling."""
        sizes = list(map(len, claims))
        plain = accepted
        if sizes.count(len(self._blank)) != len(many):
            plain = [
                are and size == len(self._blank) for are, size in zip(plain, sizes, strict=True)
            ]
        if any([ADDITIONAL_FIELDS in fields for fields in many]):
            plain = [are and ADDITIONAL_FIELDS not in f for are, f in zip(plain, many, strict=True)]
        for name in self._contract.records:  # whose records are still to be completed
            if any([fields.get(name) for fields in many]):
                plain = [are and not f.get(name) for are, f in zip(plain, many, strict=True)]
        for name, misspelt in self._misspelt:
            types = [type(fields.get(name)) for fields in many]
            if not misspelt.isdisjoint(types):
                plain = [are and its not in misspelt for are, its in zip(plain, types, strict=True)]
        return plain

    def _accept_normalised(self, fields: dict[str, Any]) -> dict[str, Any] | Rejection:
        fields = self._normaliser.normalise(fields)
        return fields if self._contract.accepts(fields) else self._rejection(fields)

    def _accept_known(self, fields: dict[str, Any]) -> dict[str, Any] | Rejection:
        """The same without a look at fields that the contract does not know."""
        known = {name: value for name, value in fields.items() if name in self._contract.blank}
        accepted = known if self._is_canonical(known) else self._accept_normalised(known)
        return accepted if isinstance(accepted, Rejection) else {**fields, **accepted}

    def _is_canonical(self, fields: dict[str, Any]) -> bool:
        for name, misspelt in self._misspelt:
            if type(fields.get(name)) in misspelt:
                return False
        for name in self._contract.records:  # in which more could be misspelt
            if fields.get(name):
                return False
        return self._contract.accepts(fields)

    def _claim(self, fields: dict[str, Any]) -> dict[str, Any]:
        for name in self._objects:
            json_column(fields.get(name))  # no deeper than its column takes it
        claim = self._blank | fields
        for name, of_record in self._contract.records.items():
            if claim[name]:
                claim[name] = complete(claim[name], of_record)
        if len(claim) == len(self._blank) and ADDITIONAL_FIELDS not in fields:
            return claim
        known = self._contract.blank
        extra = {name: value for name, value in fields.items() if name not in known}
        claim = {name: claim[name] for name in known}
        claim[ADDITIONAL_FIELDS] = json_text(extra)
        return claim

    def _rejection(self, claim: dict[str, Any]) -> Rejection:
        violations = self._contract.violations(claim)
        first = violations[0]
        place = _PLACE.sub("[]", first.field)  # one text for whichever record it is
        claim_id = claim.get("claim_id")
        return Rejection(
            STAGE,
            "schema_violation",
            f"{place}: {first.message}".removeprefix(": "),
            violations,
            claim_id if isinstance(claim_id, str) and len(claim_id) <= 128 else None,
        )

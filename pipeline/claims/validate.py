"""From the fields of a message to a claim: every field of the contract, in its one spelling."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.claims.contract import ADDITIONAL_FIELDS, Contract
from pipeline.claims.normalise import Normaliser
from pipeline.claims.records import MISSPELT, complete, is_misspelt
from pipeline.claims.rejection import Rejection, Violation
from pipeline.claims.storable import json_column, json_text

__all__ = ["ADDITIONAL_FIELDS", "STAGE", "ClaimValidator"]

STAGE = "validate"

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
            (column.name, {list} if column.mode == "REPEATED" else MISSPELT[column.type])
            for column in contract.columns
            if column.type in MISSPELT
        ]
        self._blank = {**contract.blank, ADDITIONAL_FIELDS: None}
        self._objects = [column.name for column in contract.columns if column.type == "JSON"]

    def validate(self, many: Sequence[dict[str, Any]]) -> list[dict[str, Any] | Rejection]:
        """The claim of each message, or the rejection with all that is wrong with it.

        A claim has every field of the contract, null where the message has none, and the
        fields that the contract does not know as JSON text in `additional_fields`.
        """
        try:
            canonical = self._are_canonical(many)
        except ValueError:  # nested deeper than the validator looks
            if len(many) == 1:
                return [self._without_unknown(many[0])]
            return [outcome for fields in many for outcome in self.validate([fields])]
        claims: list[dict[str, Any] | Rejection] = [self._blank | fields for fields in many]
        width = len(self._blank)
        has_objects = bool(self._objects) or any(
            [fields.get(name) for name in self._contract.records for fields in many]
        )
        for place, (fields, claim) in enumerate(zip(many, claims, strict=True)):
            if not canonical[place]:
                claims[place] = self._normalised(fields)
            elif len(claim) != width or has_objects or ADDITIONAL_FIELDS in fields:
                claims[place] = self._claim(fields)
        return claims

    def _are_canonical(self, many: Sequence[dict[str, Any]]) -> list[bool]:
        """Of each, whether it keeps the contract in the spelling of the columns."""
        canonical = self._contract.accept(many)
        for name, misspelt in self._misspelt:
            types = [type(fields.get(name)) for fields in many]
            if not misspelt.isdisjoint(types):
                canonical = [
                    is_canonical and its not in misspelt
                    for is_canonical, its in zip(canonical, types, strict=True)
                ]
        for name, of_record in self._contract.records.items():
            for place, fields in enumerate(many):
                if canonical[place] and fields.get(name):
                    canonical[place] = not is_misspelt(fields[name], of_record)
        return canonical

    def _without_unknown(self, fields: dict[str, Any]) -> dict[str, Any] | Rejection:
        """The outcome without a look at fields that the contract does not know."""
        known = {name: value for name, value in fields.items() if name in self._contract.blank}
        try:
            if self._are_canonical([known]) == [True]:
                return self._claim(fields)
        except ValueError:
            return _TOO_DEEP
        return self._normalised(known, fields)

    def _normalised(
        self, fields: dict[str, Any], rest: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | Rejection:
        """The outcome for fields that need another spelling, or are wrong; judged just once."""
        fields = self._normaliser.normalise(fields)
        try:
            violations = self._contract.violations(fields)
        except ValueError:
            return _TOO_DEEP
        if violations:
            return self._rejection(fields, violations)
        return self._claim({**rest, **fields} if rest else fields)

    def _claim(self, fields: dict[str, Any]) -> dict[str, Any] | Rejection:
        known = self._contract.blank
        try:
            for name in self._objects:
                json_column(fields.get(name))  # no deeper than its column takes it
            claim = self._blank | fields
            for name, of_record in self._contract.records.items():
                if claim[name]:
                    claim[name] = complete(claim[name], of_record)
            if len(claim) == len(self._blank) and ADDITIONAL_FIELDS not in fields:
                return claim
            extra = {name: value for name, value in fields.items() if name not in known}
            claim = {name: claim[name] for name in known}
            claim[ADDITIONAL_FIELDS] = json_text(extra)
        except (ValueError, RecursionError):
            return _TOO_DEEP
        return claim

    def _rejection(self, claim: Mapping[str, Any], violations: tuple[Violation, ...]) -> Rejection:
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

"""From the fields of a message to a claim: every field of the contract, in its one spelling."""

import re
from collections.abc import Mapping, Sequence
from itertools import compress
from operator import and_
from typing import Any, NamedTuple

from pipeline.claims.columns import Rows, columns_of, filled
from pipeline.claims.contract import ADDITIONAL_FIELDS, Contract
from pipeline.claims.normalise import normaliser
from pipeline.claims.records import MISSPELT, complete, is_misspelt
from pipeline.claims.rejection import Rejection, Violation
from pipeline.claims.storable import json_column, json_text

STAGE = "validate"

_PLACE = re.compile(r"\[\d+\]")
_TOO_DEEP = Rejection(STAGE, "nesting_too_deep", "arrays or objects are nested too deeply")


class Validated(NamedTuple):
    """What became of the fields of some messages."""

    claims: Rows
    """Of those that are accepted, in their order."""
    rejected: Mapping[int, Rejection]
    """By the place of their message."""


class ClaimValidator:
    """Judges the fields of messages by one contract."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._normalise = normaliser(contract)
        # What JSON Schema lets pass in another spelling than its column's: it takes 45.0 for an
        # integer, and a claim holds 45.
        self._misspelt = [
            (column.name, {list} if column.mode == "REPEATED" else MISSPELT[column.type])
            for column in contract.columns
            if column.type in MISSPELT
        ]
        self._blank = {**contract.blank, ADDITIONAL_FIELDS: None}
        self._objects = contract.objects
        self._as_they_are = contract.blank.keys() - self._objects
        """The fields whose columns take valid values as they are, or records once completed."""

    def validate(self, many: Sequence[dict[str, Any]]) -> Validated:
        """The claim of each message, or the rejection with all that is wrong with it.

        A claim has every field of the contract, null where the message has none, and the
        fields that the contract does not know as JSON text in `additional_fields`.
        """
        # One message may have a hundred thousand unknown fields: only known ones become columns.
        names = set().union(*many)
        blank = self._contract.blank
        columns = columns_of(many, {name: blank[name] for name in names & blank.keys()})
        canonical = self._contract.accept(many, columns)
        for name, misspelt in self._misspelt:
            types = set(map(type, columns.get(name, ())))
            if not misspelt.isdisjoint(types):
                canonical = [
                    is_canonical and type(value) not in misspelt
                    for is_canonical, value in zip(canonical, columns[name], strict=True)
                ]
        for name in self._contract.records.keys() & columns.keys():
            self._complete_records(name, columns[name], canonical)
        as_they_are = canonical
        if not self._as_they_are.issuperset(names):
            as_they_are = list(map(and_, canonical, map(self._as_they_are.issuperset, many)))
        rejected: dict[int, Rejection] = {}
        for place in [place for place, as_it_is in enumerate(as_they_are) if not as_it_is]:
            outcome = self._claim(many[place], canonical[place])
            if isinstance(outcome, Rejection):
                rejected[place] = outcome
            else:
                for name in outcome.keys() - columns.keys():
                    columns[name] = [self._blank[name]] * len(many)
                for name, values in columns.items():
                    values[place] = outcome.get(name, self._blank[name])
        if rejected:
            kept = [place not in rejected for place in range(len(many))]
            columns = {name: list(compress(values, kept)) for name, values in columns.items()}
        return Validated(Rows(filled(columns, self._blank, len(many) - len(rejected))), rejected)

    def _complete_records(self, name: str, column: list[Any], canonical: list[bool]) -> None:
        """Complete the records of canonical claims; those with a misspelt one are none."""
        of_record = self._contract.records[name]
        for place, records in enumerate(column):
            if records and canonical[place]:
                try:
                    column[place] = complete(records, of_record)
                    canonical[place] = not is_misspelt(records, of_record)
                except RecursionError:  # one is nested too deeply
                    canonical[place] = False

    def _claim(self, fields: dict[str, Any], is_canonical: bool) -> dict[str, Any] | Rejection:
        """The outcome for fields that are not as the columns take them."""
        try:
            if is_canonical:
                return self._complete(fields)
            return self._normalised(fields)
        except (ValueError, RecursionError):  # nested deeper than the validator looks
            known = {name: value for name, value in fields.items() if name in self._contract.blank}
        try:
            return self._normalised(known, fields)
        except (ValueError, RecursionError):
            return _TOO_DEEP

    def _normalised(
        self, fields: dict[str, Any], rest: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | Rejection:
        """The outcome for fields that need another spelling, or are wrong; judged just once."""
        fields = self._normalise(fields)
        if violations := self._contract.violations(fields):
            return self._rejection(fields, violations)
        return self._complete({**rest, **fields} if rest else fields)

    def _complete(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What the columns take of a claim.

        Raises:
            RecursionError: JSON is nested deeper than its column takes it.
        """
        known = self._contract.blank
        claim = {name: value for name, value in fields.items() if name in known}
        for name in self._objects:
            json_column(fields.get(name))  # no deeper than its column takes it
        for name, of_record in self._contract.records.items():
            if claim.get(name):
                claim[name] = complete(claim[name], of_record)
        if len(claim) != len(fields):
            extra = {name: value for name, value in fields.items() if name not in known}
            claim[ADDITIONAL_FIELDS] = json_text(extra)
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

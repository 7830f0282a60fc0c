"""The row of the claims table: a claim with its signals, score, reasons and evidence."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.claims.age import with_ages
from pipeline.claims.columns import Rows, are_empty, columns_of, empty, filled
from pipeline.claims.contract import ADDITIONAL_FIELDS, Contract
from pipeline.claims.history import ORIGINAL_MESSAGE_ID, history_columns
from pipeline.claims.judgement import BasisSource, Judgement, RuleColumns
from pipeline.claims.message import Message, Part
from pipeline.claims.records import as_columns_take_them
from pipeline.claims.storable import NumbersAsText, decimal_texts, json_column

NUMBER_AS_TEXT = "number_as_text"
"""The quality issue of a claim with a number that a JSON column cannot hold to the digit."""


class ClaimRows:
    """Turns valid claims into rows of the claims table."""

    def __init__(
        self,
        contract: Contract,
        basis: BasisSource,
        high_risk_threshold: float,
        pipeline_version: str,
        map_version: str | None = None,
    ) -> None:
        """Each batch is judged by what `basis` has then.

        Claims with a score above the threshold, 0 to 1, are flagged.
        """
        self.basis = basis
        self._threshold = high_risk_threshold
        self._judgement = Judgement(basis.now(), high_risk_threshold)
        self._counted: list[tuple[RuleColumns, int]] = []
        self._blank = {**contract.blank, ADDITIONAL_FIELDS: None}
        self._numerics = contract.names("NUMERIC", "BIGNUMERIC")
        self._numeric_arrays = contract.names("NUMERIC", "BIGNUMERIC", repeated=True)
        self._records = {
            name: (
                fields.names("NUMERIC", "BIGNUMERIC"),
                fields.names("NUMERIC", "BIGNUMERIC", repeated=True),
            )
            for name, fields in contract.records.items()
        }
        self._objects = contract.objects
        self._same_for_all: Mapping[str, Any] = {
            ORIGINAL_MESSAGE_ID: None,  # as all of a message's history, where it has none
            **Part(None, None, map_version)._asdict(),
            "contract_version": contract.version,
            "pipeline_version": pipeline_version,
        }
        self._map_version = map_version

    def rows(
        self,
        messages: Sequence[Message],
        claims: Sequence[dict[str, Any]],
        processing_timestamp: str,
    ) -> Rows:
        """The row of each claim, which came in the message at the same place.

        `processing_timestamp` is RFC 3339, UTC.
        """
        size = len(claims)
        by_column = claims.columns if isinstance(claims, Rows) else columns_of(claims, self._blank)
        columns = dict(filled(by_column, self._blank, size))
        if not are_empty(columns.get("patient_birth_date") or empty(size)):
            columns |= with_ages(columns)
        judgement = self._judgement_now()
        fired = judgement.fired(columns)
        columns |= judgement.columns(fired)
        columns["message_id"] = [message.message_id for message in messages]
        columns["publish_time"] = [message.publish_time for message in messages]
        columns["processing_timestamp"] = [processing_timestamp] * size
        for name, value in self._same_for_all.items():
            columns[name] = empty(size) if value is None else [value] * size
        if any([message.attributes or message.part for message in messages]):
            columns |= history_columns(messages, self._map_version)
        for name in self._numerics:
            if not are_empty(columns[name]):
                columns[name] = decimal_texts(columns[name])
        for name in self._numeric_arrays:
            columns[name] = list(map(decimal_texts, columns[name]))
        for name, numerics in self._records.items():
            if not are_empty(columns[name]):
                columns[name] = [as_columns_take_them(each, *numerics) for each in columns[name]]
        for name in self._objects:
            if not are_empty(columns[name]):
                columns[name] = list(map(json_column, columns[name]))
        self._note_numbers_as_text(columns)
        judgement.count(fired)
        return Rows(columns)

    def _note_numbers_as_text(self, columns: dict[str, Sequence[Any]]) -> None:
        """Add a quality issue where digits of a JSON column are kept as text."""
        for name in (ADDITIONAL_FIELDS, *self._objects):
            values = columns[name]
            if are_empty(values) or {list, NumbersAsText}.isdisjoint(map(type, values)):
                continue
            columns["quality_issues"] = [
                (*issues, NUMBER_AS_TEXT)
                if NUMBER_AS_TEXT not in issues and _has_numbers_as_text(value)
                else issues
                for issues, value in zip(columns["quality_issues"], values, strict=True)
            ]
            columns[name] = [_plain(value) for value in values]

    def take_rule_counts(self) -> list[tuple[RuleColumns, int]]:
        """What the rules filled in, and in how many rows, since the last call."""
        counted, self._counted = self._counted, []
        return counted + self._judgement.take_counts()

    def _judgement_now(self) -> Judgement:
        basis = self.basis.now()
        if basis is not self._judgement.basis:
            self._counted += self._judgement.take_counts()
            self._judgement = Judgement(basis, self._threshold)
        return self._judgement


def _plain(value: Any) -> Any:
    """The same texts, as other libraries take them."""
    return list(map(str, value)) if type(value) is list else value and str(value)


def _has_numbers_as_text(value: Any) -> bool:
    if type(value) is list:
        return NumbersAsText in map(type, value)
    return type(value) is NumbersAsText

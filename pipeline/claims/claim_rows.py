"""The row of the claims table: a claim with its features, score and reasons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from pipeline.claims.columns import Rows
from pipeline.claims.contract import Contract
from pipeline.claims.history import histories, parts
from pipeline.claims.memory import Memory, always_fits
from pipeline.claims.message import Message
from pipeline.claims.records import as_columns_take_them
from pipeline.claims.score import Rules, Scorer
from pipeline.claims.signals.claim import with_features
from pipeline.claims.storable import NumbersAsText, decimal_text, json_column
from pipeline.claims.validate import ADDITIONAL_FIELDS

_REMEMBERED = 4_096
"""Sets of rules that fire together, whose columns are kept."""
NUMBER_AS_TEXT = "number_as_text"
"""The quality issue of a claim with a number that a JSON column cannot hold to the digit."""


class RuleColumns(NamedTuple):
    """The columns that the rules fill."""

    fraud_risk_score: float
    high_risk_flag: bool
    risk_reasons: tuple[str, ...]
    quality_issues: tuple[str, ...]


class ClaimRows:
    """Turns valid claims into rows of the claims table."""

    def __init__(
        self,
        contract: Contract,
        rules: Rules,
        high_risk_threshold: float,
        pipeline_version: str,
        map_version: str | None = None,
    ) -> None:
        self._scorer = Scorer(rules)
        self._threshold = high_risk_threshold
        self._names = (*contract.blank, ADDITIONAL_FIELDS)
        self._values_of = itemgetter(*self._names)
        self._numerics = contract.names("NUMERIC", "BIGNUMERIC")
        self._records = {
            name: fields.names("NUMERIC", "BIGNUMERIC") for name, fields in contract.records.items()
        }
        self._objects = [column.name for column in contract.columns if column.type == "JSON"]
        self._same_for_all: Mapping[str, Any] = {
            "contract_version": contract.version,
            "rules_version": rules.version,
            "pipeline_version": pipeline_version,
        }
        self._map_version = map_version
        remembered = Memory(self._rule_columns_of, _REMEMBERED, always_fits)
        self._rule_columns = remembered.__getitem__
        self._fired: Counter[int] = Counter()

    def rows(
        self,
        messages: Sequence[Message],
        claims: Sequence[dict[str, Any]],
        processing_timestamp: str,
    ) -> Rows:
        """The row of each claim, which came in the message at the same place.

        `processing_timestamp` is RFC 3339, UTC.
        """
        values = zip(*map(self._values_of, claims), strict=True)
        columns: dict[str, Sequence[Any]] = dict(zip(self._names, values, strict=True))
        facts = with_features(columns)
        fired = self._scorer.fired(facts)
        originals, published = histories(messages)
        columns |= zip(
            RuleColumns._fields, zip(*map(self._rule_columns, fired), strict=True), strict=True
        )
        columns["days_to_submission"] = facts["days_to_submission"]
        columns["message_id"] = [message.message_id for message in messages]
        columns["original_message_id"] = originals
        columns["publish_time"] = published
        columns |= parts(messages, self._map_version)
        columns["processing_timestamp"] = [processing_timestamp] * len(claims)
        for name, value in self._same_for_all.items():
            columns[name] = [value] * len(claims)
        for name in self._numerics:
            columns[name] = list(map(decimal_text, columns[name]))
        for name, numerics in self._records.items():
            if any(columns[name]):
                columns[name] = [as_columns_take_them(each, numerics) for each in columns[name]]
        for name in self._objects:
            columns[name] = list(map(json_column, columns[name]))
        self._note_numbers_as_text(columns)
        self._fired.update(fired)
        return Rows(columns)

    def _note_numbers_as_text(self, columns: dict[str, Sequence[Any]]) -> None:
        """Add a quality issue where digits of a JSON column are kept as text."""
        for name in (ADDITIONAL_FIELDS, *self._objects):
            values = columns[name]
            if {list, NumbersAsText}.isdisjoint(map(type, values)):
                continue
            columns["quality_issues"] = [
                (*issues, NUMBER_AS_TEXT) if _has_numbers_as_text(value) else issues
                for issues, value in zip(columns["quality_issues"], values, strict=True)
            ]
            columns[name] = [_plain(value) for value in values]

    def take_rule_counts(self) -> list[tuple[RuleColumns, int]]:
        """What the rules filled in, and in how many rows, since the last call."""
        counts = [(self._rule_columns(fired), rows) for fired, rows in self._fired.items()]
        self._fired.clear()
        return counts

    def _rule_columns_of(self, fired: int) -> RuleColumns:
        score, reasons, issues = self._scorer.assessment(fired)
        return RuleColumns(score, score > self._threshold, reasons, issues)


def _plain(value: Any) -> Any:
    """The same texts, as other libraries take them."""
    return list(map(str, value)) if type(value) is list else value and str(value)


def _has_numbers_as_text(value: Any) -> bool:
    if type(value) is list:
        return NumbersAsText in map(type, value)
    return type(value) is NumbersAsText

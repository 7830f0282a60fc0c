"""The row of the claims table: a claim with its features, score and reasons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from pipeline.claims.contract import Contract
from pipeline.claims.enrich import FEATURES, with_features
from pipeline.claims.message import Message
from pipeline.claims.numeric import decimal_text
from pipeline.claims.replay import history
from pipeline.claims.score import Rules, Scorer

_REMEMBERED = 4_096
"""Sets of rules that fire together, whose columns are kept."""


class ClaimRows:
    """Turns valid claims into rows of the claims table."""

    def __init__(
        self, contract: Contract, rules: Rules, high_risk_threshold: float, pipeline_version: str
    ) -> None:
        self._scorer = Scorer(rules)
        self._threshold = high_risk_threshold
        self._read = self._fields_read(contract)
        self._values_of = itemgetter(*self._read)
        self._numerics = contract.names("NUMERIC", "BIGNUMERIC")
        self._objects = contract.names("JSON")
        self._same_for_all: Mapping[str, Any] = {
            "contract_version": contract.version,
            "rules_version": rules.version,
            "pipeline_version": pipeline_version,
        }
        self._columns_of = lru_cache(_REMEMBERED)(self._assessed_columns)
        self._fired: Counter[int] = Counter()

    def _fields_read(self, contract: Contract) -> tuple[str, ...]:
        """The fields that features and rules look at; at least two, the dates of the core."""
        read = self._scorer.reads
        if read is None:
            return tuple(contract.blank)
        read = read.union(*(feature.reads for feature in FEATURES.values()))
        return tuple(name for name in contract.blank if name in read)

    def row(
        self, message: Message, claim: dict[str, Any], processing_timestamp: str
    ) -> dict[str, Any]:
        """The row of one claim. `processing_timestamp` is RFC 3339, UTC."""
        return self.rows([message], [claim], processing_timestamp)[0]

    def rows(
        self,
        messages: Sequence[Message],
        claims: Sequence[dict[str, Any]],
        processing_timestamp: str,
    ) -> list[dict[str, Any]]:
        """The row of each claim, which came in the message at the same place."""
        values = zip(*map(self._values_of, claims), strict=True)
        facts = with_features(dict(zip(self._read, values, strict=True)))
        same_for_all = {**self._same_for_all, "processing_timestamp": processing_timestamp}
        fired = self._scorer.fired(facts)
        rows = []
        for message, claim, days, columns in zip(
            messages,
            claims,
            facts["days_to_submission"],
            map(self._columns_of, fired),
            strict=True,
        ):
            row = claim | columns
            row["days_to_submission"] = days
            row["message_id"] = message.message_id
            _, row["original_message_id"], row["publish_time"] = history(message)
            row.update(same_for_all)
            for name in self._numerics:
                row[name] = decimal_text(row[name])
            for name in self._objects:
                if row[name] is not None:
                    row[name] = orjson.dumps(row[name], default=float).decode()
            rows.append(row)
        self._fired.update(fired)
        return rows

    def take_verdicts(self) -> list[tuple[dict[str, Any], int]]:
        """What the rules said, as columns, and of how many rows since this was last asked."""
        verdicts = [(self._columns_of(fired), rows) for fired, rows in self._fired.items()]
        self._fired.clear()
        return verdicts

    def _assessed_columns(self, fired: int) -> dict[str, Any]:
        score, reasons, issues = self._scorer.assessment(fired)
        return {
            "fraud_risk_score": score,
            "high_risk_flag": score > self._threshold,
            "risk_reasons": reasons,
            "quality_issues": issues,
        }

"""The row of the claims table: a claim with its features, score and reasons."""

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.claims.contract import Contract
from pipeline.claims.enrich import FEATURES, facts_of
from pipeline.claims.message import Message
from pipeline.claims.numeric import decimal_text
from pipeline.claims.replay import history
from pipeline.claims.score import Rules, Scorer


class ClaimRows:
    """Turns valid claims into rows of the claims table."""

    def __init__(
        self, contract: Contract, rules: Rules, high_risk_threshold: float, pipeline_version: str
    ) -> None:
        self._scorer = Scorer(rules)
        self._threshold = high_risk_threshold
        self._numerics = contract.names("NUMERIC", "BIGNUMERIC")
        self._objects = contract.names("JSON")
        self._inputs_only = [name for name in FEATURES if name != "days_to_submission"]
        self._same_for_all: Mapping[str, Any] = {
            "contract_version": contract.version,
            "rules_version": rules.version,
            "pipeline_version": pipeline_version,
        }

    def row(
        self, message: Message, claim: dict[str, Any], processing_timestamp: str
    ) -> dict[str, Any]:
        """The row of one claim. `processing_timestamp` is RFC 3339, UTC."""
        row = facts_of(claim)
        score, reasons, issues = self._scorer.assess(row)
        for name in self._inputs_only:
            del row[name]
        row["fraud_risk_score"] = score
        row["high_risk_flag"] = score > self._threshold
        row["risk_reasons"] = reasons
        row["quality_issues"] = issues
        row["message_id"] = message.message_id
        _, row["original_message_id"], row["publish_time"] = history(message)
        row["processing_timestamp"] = processing_timestamp
        row.update(self._same_for_all)
        for name in self._numerics:
            row[name] = decimal_text(row[name])
        for name in self._objects:
            if row[name] is not None:
                row[name] = orjson.dumps(row[name], default=float).decode()
        return row

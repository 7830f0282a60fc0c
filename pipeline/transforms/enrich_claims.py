"""EnrichClaims: claims to rows with score, reasons and quality issues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.clock import Clock, milliseconds_between
from pipeline.claims.columns import Rows
from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.score import Rules
from pipeline.transforms.step import Step, outputs_of


class EnrichFn(Step):
    """Scores claims and makes their rows."""

    stage = "enrich"

    def __init__(
        self,
        contract: Contract,
        rules: Rules,
        high_risk_threshold: float,
        pipeline_version: str,
        clock: Clock,
    ) -> None:
        self._make_rows = (contract, rules, high_risk_threshold, pipeline_version)
        self._clock = clock

    def setup(self) -> None:
        """Compile the rules."""
        super().setup()
        self._rows = ClaimRows(*self._make_rows)
        self._last_row: dict[str, Any] | None = None

    def decide(self, message: Message, subject: Any) -> Any:
        """The row of the claims table."""
        return self.decide_all([message], [subject])[0]

    def decide_all(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Rows:
        """The rows of the claims table."""
        rows = self._rows.rows(messages, subjects, self._clock())
        self._last_row = rows[-1]
        return rows

    def finish_bundle(self) -> None:
        """Count what the rules said: few verdicts, each for many claims; and sample the lag."""
        for verdict, claims in self._rows.take_verdicts():
            self.tally["accepted"] += claims
            self.tally["high_risk"] += claims * verdict.high_risk_flag
            self.tally.update({f"rule_{rule}": claims for rule in verdict.risk_reasons})
            self.tally.update({f"quality_{rule}": claims for rule in verdict.quality_issues})
        if self._last_row is not None:
            # An operator's schema may leave the field out.
            ingested, scored = (
                self._last_row.get("ingest_ts"),
                self._last_row["processing_timestamp"],
            )
            lag = milliseconds_between(ingested, scored)
            if lag is not None:
                self.tally.sample("event_lag_ms", lag)
            self._last_row = None
        super().finish_bundle()


@dataclass
class EnrichClaims(beam.PTransform):
    """(Message, claim) -> `accepted` (Message, row) and `rejected` (Message, Rejection)."""

    contract: Contract
    rules: Rules
    high_risk_threshold: float
    """Score above which a claim is flagged, 0 to 1."""
    pipeline_version: str
    clock: Clock
    step: Callable[..., Step] = EnrichFn

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, claims: beam.PCollection) -> Any:
        """Wire the step."""
        return claims | "Enrich" >> outputs_of(
            self.step(
                self.contract,
                self.rules,
                self.high_risk_threshold,
                self.pipeline_version,
                self.clock,
            )
        )

"""Rules and signals applied to claims, by column: score, reasons, evidence, quality issues."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.claims.basis import Basis
from pipeline.claims.columns import Columns
from pipeline.claims.evidence import Evidence
from pipeline.claims.memory import Memory, always_fits
from pipeline.claims.score import Scorer
from pipeline.claims.signals.facts import Facts

_REMEMBERED = 4_096
"""Sets of rules that fire together, whose columns are kept."""


class RuleColumns(NamedTuple):
    """The columns that the rules fill."""

    fraud_risk_score: float
    high_risk_flag: bool
    risk_reasons: tuple[str, ...]
    quality_issues: tuple[str, ...]
    risk_evidence: Sequence[str] | None
    """One text for each reason; None where it differs from claim to claim."""


class Fired(NamedTuple):
    """Claims with their signals, and what fired on them."""

    facts: Columns
    rules: list[int]
    """A bit mask for each claim."""


class Judgement:
    """Judges claims by one basis."""

    def __init__(
        self, basis: Basis, high_risk_threshold: float, facts: Facts | None = None
    ) -> None:
        """Compile the rules.

        Judgements by different rules that are given the same `facts` compute each signal once:
        `fired_on` takes what `facts.of` made of some claims. They have the look-ups of the basis.

        Raises:
            ValueError: a condition does not compile.
        """
        self.basis = basis
        self._facts = Facts(basis.lookups) if facts is None else facts
        self._facts.need(["days_to_submission"])
        self._scorer = Scorer(basis.rules, self._facts)
        self._threshold = high_risk_threshold
        self._evidence = {rule.id: Evidence(rule.when, self._facts) for rule in basis.rules.risk}
        self._rule_columns = Memory(self._rule_columns_of, _REMEMBERED, always_fits).__getitem__
        self._fired: Counter[int] = Counter()

    def fired(self, claims: Columns) -> Fired:
        """The signals of claims, and the rules that fire on each."""
        return self.fired_on(self._facts.of(claims))

    def fired_on(self, facts: Columns) -> Fired:
        """The rules that fire on claims, which come with their signals."""
        return Fired(facts, self._scorer.fired(facts))

    def columns(self, fired: Fired) -> dict[str, Sequence[Any]]:
        """What the rules and signals say of each claim."""
        facts, filled = fired.facts, list(map(self._rule_columns, fired.rules))
        columns: dict[str, Sequence[Any]] = dict(
            zip(RuleColumns._fields, zip(*filled, strict=True), strict=True)
        )
        if None in columns["risk_evidence"]:
            columns["risk_evidence"] = [
                self._shown(each.risk_reasons, facts, place)
                if each.risk_evidence is None
                else each.risk_evidence
                for place, each in enumerate(filled)
            ]
        size = len(filled)
        columns["days_to_submission"] = facts["days_to_submission"]
        columns["rules_version"] = [self.basis.rules.version] * size
        columns["reference_versions"] = [self.basis.versions] * size
        return columns

    def count(self, fired: Fired) -> None:
        """Count these claims, once their rows are made."""
        self._fired.update(fired.rules)

    def take_counts(self) -> list[tuple[RuleColumns, int]]:
        """What the rules filled in, and in how many rows, since the last call."""
        counts = [(self._rule_columns(fired), rows) for fired, rows in self._fired.items()]
        self._fired.clear()
        return counts

    def _rule_columns_of(self, fired: int) -> RuleColumns:
        score, reasons, issues = self._scorer.assessment(fired)
        constants = [self._evidence[reason].constant for reason in reasons]
        evidence = None if None in constants else [each for each in constants if each is not None]
        return RuleColumns(score, score > self._threshold, reasons, issues, evidence)

    def _shown(self, reasons: tuple[str, ...], facts: Columns, place: int) -> list[str]:
        every = (self._evidence[reason] for reason in reasons)
        return [each.constant or each.of(facts, place) for each in every]

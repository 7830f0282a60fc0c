"""Rules and signals applied to claims, by column: score, reasons, evidence, quality issues."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial, reduce
from itertools import repeat
from operator import and_, or_
from typing import Any, NamedTuple, Protocol

from pipeline.claims.columns import Columns, Rows
from pipeline.claims.contract import Contract
from pipeline.claims.evidence import Evidence
from pipeline.claims.memory import Memory, always_fits
from pipeline.claims.rules import Rule, Rules, condition_of, fields_read, parts_of, plain
from pipeline.claims.signals.facts import Facts, not_null
from pipeline.claims.verdicts import Condition, Schema, verdicts

_REMEMBERED = 4_096
"""Sets of rules that fire together, whose columns are kept."""
_REMEMBERED_IN_COMMON = 16_384
"""Verdicts on all fields together, of which what they have in common is kept."""


class Basis(NamedTuple):
    """What claims are judged by at a moment. Never changed: another one takes its place."""

    rules: Rules
    lookups: Mapping[str, Any] = {}
    """By the name of the reference file; a file that is not there is not in it."""
    versions: tuple[str, ...] = ()
    """`name=version` of each reference file in use, the rules file included."""


class BasisSource(Protocol):
    """Has the basis of each moment."""

    def now(self) -> Basis:
        """The basis; the same object until it changes."""

    def take_counts(self) -> Mapping[str, int]:
        """What happened to it since the last call, by the names of metrics."""


class Unchanging:
    """The rules of a launch, without any reference file."""

    def __init__(self, rules: Rules, lookups: Mapping[str, Any] | None = None) -> None:
        self._basis = Basis(rules, lookups or {})

    def now(self) -> Basis:
        return self._basis

    def take_counts(self) -> Mapping[str, int]:
        return Counter()


@cache
def _default_blank() -> dict[str, Any]:
    return Contract.default().blank


class Scorer:
    """Applies rules. The rules that fired on a claim are a bit mask: bit i stands for rule i.

    A rule that reads a signal whose source is absent never fires, and costs nothing.
    """

    def __init__(self, rules: Rules, facts: Facts) -> None:
        """Compile the conditions, and have `facts` compute what they read."""
        self._rules = (*rules.risk, *rules.quality)
        self._risk_count = len(rules.risk)
        self._facts = facts
        self._blank = _default_blank()
        """What rules see of a field that the contract of a job does not have."""
        by_field: dict[str, dict[int, Schema]] = {}
        self._across: list[tuple[int, Condition]] = []
        self._read_across: frozenset[str] = frozenset()
        self._apart = 0
        for place, rule in enumerate(self._rules):
            read = fields_read(rule.when) or frozenset()
            if not facts.has(read):
                continue
            bit, parts = 1 << place, parts_of(plain(rule.when))
            if parts is None:
                self._across.append((bit, condition_of(rule)))
                self._read_across |= read
                continue
            self._apart |= bit
            for field, schema in parts.items():
                by_field.setdefault(field, {})[bit] = not_null(schema, field)
        judged = {
            field: verdicts(schemas, self._apart & ~sum(schemas))
            for field, schemas in by_field.items()
        }
        self._verdicts = facts.by_key(judged)
        self._in_common = Memory(
            partial(reduce, and_), _REMEMBERED_IN_COMMON, always_fits
        ).__getitem__
        facts.need({*self._verdicts, *self._read_across})

    def fired(self, facts: Columns) -> list[int]:
        """The rules that fire on each claim, as a mask.

        `facts` are claims with their signals.
        """
        size = len(next(iter(facts.values())))
        # One verdict is enough on a field that no claim has, as most of those for hospitals.
        same, differing = self._apart, []
        for field, judged in self._verdicts.items():
            values = facts.get(field) or [self._blank.get(field)]
            verdict = judged.of_all(values)
            if verdict is None:
                differing.append(judged.on(values))
            else:
                same &= verdict
        fired: Iterable[int] = map(
            self._in_common, zip(repeat(same, size), *differing, strict=True)
        )
        if self._across:
            read = {
                name: facts.get(name) or [self._blank.get(name)] * size
                for name in self._read_across
            }
            claims = Rows(read) if read else repeat({}, size)
            fired = map(or_, fired, map(self._fired_across, claims))
        return list(fired)

    def _fired_across(self, facts: dict[str, Any]) -> int:
        return sum(bit for bit, is_met in self._across if is_met(facts))

    def rules(self, fired: int) -> tuple[list[Rule], list[Rule]]:
        """The risk rules and the quality rules of a mask."""
        some = [(place, rule) for place, rule in enumerate(self._rules) if fired >> place & 1]
        return (
            [rule for place, rule in some if place < self._risk_count],
            [rule for place, rule in some if place >= self._risk_count],
        )


class RuleColumns(NamedTuple):
    """The columns that the rules fill."""

    fraud_risk_score: float
    """0 to 1."""
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
        risk, quality = self._scorer.rules(fired)
        # Decimal, so that 0.3 and 0.2 make 0.5.
        score = float(min(Decimal(1), sum((rule.weight for rule in risk), Decimal(0))))
        reasons, issues = tuple(rule.id for rule in risk), tuple(rule.id for rule in quality)
        constants = [self._evidence[reason].constant for reason in reasons]
        evidence = None if None in constants else [each for each in constants if each is not None]
        return RuleColumns(score, score > self._threshold, reasons, issues, evidence)

    def _shown(self, reasons: tuple[str, ...], facts: Columns, place: int) -> list[str]:
        every = (self._evidence[reason] for reason in reasons)
        return [each.constant or each.of(facts, place) for each in every]

"""What two sets of rules say of the same claims, counted: today's and those that are tried."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from pipeline.claims.columns import Columns

MAX_PROVIDERS: Final = 200_000
"""Providers that are told apart; further ones count together, so that memory stays bounded."""
OTHER_PROVIDERS: Final = "(all others)"


class Outcome(NamedTuple):
    """What rules say of claims, by column."""

    scores: Sequence[float]
    flags: Sequence[bool]
    reasons: Sequence[Sequence[str]]


class Batch(NamedTuple):
    """Claims to be judged, with what is known of them, by column."""

    claims: Columns
    """As rules see them."""
    days: Sequence[str | None]
    """The day that each claim counts for."""
    improper: Sequence[bool | None]
    """None where nobody knows."""
    recovered: Sequence[Decimal | None]
    stored: Outcome | None
    """What the table says; None for claims of files."""


@dataclass(slots=True)
class Tally:
    """Claims, their money, and how many of them turned out improper."""

    claims: int = 0
    amount: Decimal = Decimal(0)
    known: int = 0
    """Claims of which somebody knows whether they were improper."""
    improper: int = 0
    improper_amount: Decimal = Decimal(0)
    recovered: Decimal = Decimal(0)

    def add(self, amount: Decimal, improper: bool | None, recovered: Decimal | None) -> None:
        """Count one claim."""
        self.claims += 1
        self.amount += amount
        if improper is not None:
            self.known += 1
        if improper:
            self.improper += 1
            self.improper_amount += amount
        if recovered:
            self.recovered += recovered

    @property
    def precision(self) -> float | None:
        """The share of improper claims among those that are known; None if none is."""
        return self.improper / self.known if self.known else None

    def recall(self, everything: "Tally") -> float | None:
        """The share of all improper claims that is among these; None if there are none."""
        return self.improper / everything.improper if everything.improper else None


@dataclass(slots=True)
class Beside:
    """The same figures under today's rules and under those that are tried."""

    today: Tally = field(default_factory=Tally)
    tried: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Change:
    """Claims that would be flagged and were not, and the reverse."""

    newly: Tally = field(default_factory=Tally)
    no_longer: Tally = field(default_factory=Tally)


@dataclass
class Comparison:
    """The outcome of a backtest."""

    everything: Tally = field(default_factory=Tally)
    flagged: Beside = field(default_factory=Beside)
    changed: Change = field(default_factory=Change)
    fired: dict[str, Beside] = field(default_factory=dict)
    """Claims on which each risk rule fired."""
    changed_by_rule: dict[str, Change] = field(default_factory=dict)
    """Claims that changed sides, by the rules that fired on them under the rules that flag them."""
    changed_by_provider: dict[str, Change] = field(default_factory=dict)
    days: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Claims, flagged today, flagged when tried; a claim without the date counts under ''."""
    scores_changed: int = 0
    rules_versions: Counter[str] = field(default_factory=Counter)
    """Versions that scored the stored claims."""
    scored_with: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Reference files that scored the stored claims, by their names."""

    def add(self, batch: Batch, today: Outcome, tried: Outcome) -> Iterator[int]:
        """Count claims; gives the places of those that change sides."""
        amounts = [Decimal(str(amount)) for amount in batch.claims["claim_amount"]]
        facts = zip(
            amounts, batch.improper, batch.recovered, batch.claims["provider_id"], batch.days,
            today.flags, tried.flags, today.reasons, tried.reasons, strict=True,
        )  # fmt: skip
        for place, (
            amount,
            improper,
            recovered,
            provider,
            day,
            was,
            now,
            before,
            after,
        ) in enumerate(facts):
            one = (amount, improper, recovered)
            self.everything.add(*one)
            for rule in before:
                _of(self.fired, rule, Beside).today.add(*one)
            for rule in after:
                _of(self.fired, rule, Beside).tried.add(*one)
            claims, flagged, would = self.days.get(day or "", (0, 0, 0))
            self.days[day or ""] = claims + 1, flagged + was, would + now
            if was:
                self.flagged.today.add(*one)
            if now:
                self.flagged.tried.add(*one)
            if was != now:
                self._add_change(one, provider, now, after if now else before)
                yield place
        self.scores_changed += sum(map(float.__ne__, today.scores, tried.scores))

    def _add_change(
        self, one: tuple[Any, Any, Any], provider: str, is_new: bool, rules: Sequence[str]
    ) -> None:
        by_provider = self.changed_by_provider
        if provider not in by_provider and len(by_provider) >= MAX_PROVIDERS:
            provider = OTHER_PROVIDERS
        changes = [self.changed, _of(by_provider, provider, Change)]
        changes += [_of(self.changed_by_rule, rule, Change) for rule in rules]
        for change in changes:
            (change.newly if is_new else change.no_longer).add(*one)


def _of(some: dict[str, Any], name: str, make: Any) -> Any:
    if name not in some:
        some[name] = make()
    return some[name]

"""Claims judged in the order in which they came, by profiles of what had come before."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from pipeline.claims.judgement import Basis, Judgement
from pipeline.claims.rules import Rules
from workshop.benchmarks.detection.profiles import ClaimTable

Claim = Mapping[str, Any]
Lookups = Mapping[str, Any]

PERIOD = timedelta(days=30)
"""After which profiles are computed anew, as a scheduled query would."""
_BATCH = 1_000


class Judged(NamedTuple):
    """What the rules say of claims, in their order."""

    scores: list[float]
    flags: list[bool]
    reasons: list[tuple[str, ...]]

    def by_provider(self, claims: Sequence[Claim]) -> dict[str, float]:
        """The mean score of each provider's claims."""
        scores: defaultdict[str, list[float]] = defaultdict(list)
        for claim, score in zip(claims, self.scores, strict=True):
            scores[claim["provider_id"]].append(score)
        return {provider: sum(each) / len(each) for provider, each in scores.items()}

    def fired(self) -> Counter[str]:
        """Claims on which each rule fired."""
        return Counter(reason for reasons in self.reasons for reason in reasons)


def came(claim: Claim) -> str:
    """The day on which a claim came."""
    day: str = claim.get("submission_date") or claim.get("service_date") or ""
    return day


def judge(
    claims: Sequence[Claim], rules: Rules, lookups_on: Callable[[date], Lookups] | None = None
) -> Judged:
    """Judge claims, which are in the order of `came`.

    `lookups_on` gives the look-ups of the period that begins on a day.
    """
    judged = Judged([], [], [])
    for begins, period in _periods(claims):
        lookups = lookups_on(begins) if lookups_on and begins else {}
        judgement = Judgement(Basis(rules, lookups), 0.5)
        for start in range(0, len(period), _BATCH):
            batch = period[start : start + _BATCH]
            names = set().union(*batch)
            fired = judgement.fired({n: [each.get(n) for each in batch] for n in names})
            columns = judgement.columns(fired)
            judged.scores.extend(columns["fraud_risk_score"])
            judged.flags.extend(columns["high_risk_flag"])
            judged.reasons.extend(columns["risk_reasons"])
    return judged


def _periods(claims: Sequence[Claim]) -> Iterator[tuple[date | None, list[Claim]]]:
    begins: date | None = None
    period: list[Claim] = []
    for claim in claims:
        day = date.fromisoformat(came(claim)) if came(claim) else begins
        if day is not None and (begins is None or day >= begins + PERIOD):
            if period:
                yield begins, period
            begins, period = day if begins is None else _begin(begins, day), []
        period.append(claim)
    if period:
        yield begins, period


def _begin(before: date, day: date) -> date:
    return before + PERIOD * ((day - before) // PERIOD)


def lookups_of(table: ClaimTable, lists: Lookups) -> Callable[[date], Lookups]:
    """The lists, and on each day the profiles of the claims that had come before."""

    def on(begins: date) -> Lookups:
        as_of = begins - timedelta(days=1)
        found = dict(lists)
        profiles, percentiles = table.provider_profiles(as_of), table.claim_percentiles(as_of)
        if profiles is not None and percentiles is not None:
            found |= {"provider_profile": profiles, "claim_percentiles": percentiles}
        return found

    return on

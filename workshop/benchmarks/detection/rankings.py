"""Providers ranked by their profiles alone: nothing is fitted, no label is looked at."""

from collections.abc import Sequence
from math import log1p

from pipeline.claims.signals.provider_profile import NAMES
from workshop.benchmarks.detection.figures import standardised
from workshop.benchmarks.detection.profiles import ClaimTable, quarters

_AMOUNT = NAMES.index("amount_90d")
_STAY = NAMES.index("longest_stay_90d")


def by_profiles(table: ClaimTable, providers: Sequence[str]) -> dict[str, list[float]]:
    """Scores of providers, by the name of the ranking.

    Profiles are computed every 90 days, so that their windows cover all claims once: the sum of
    `amount_90d` is all that a provider billed, the most of `longest_stay_90d` its longest stay.
    """
    amounts, stays = [0.0] * len(providers), [0.0] * len(providers)
    for day in quarters(*table.days()):
        profiles = table.provider_profiles(day, all_claims=True)
        for place, provider in enumerate(providers):
            amounts[place] += profiles.value(_AMOUNT, provider) or 0.0
            stays[place] = max(stays[place], profiles.value(_STAY, provider) or 0.0)
    logarithms = list(map(log1p, map(max, amounts, [0.0] * len(amounts))))
    return {
        "profile signals alone: amount + longest stay": _sum(amounts, stays),
        "profile signals alone: log amount + longest stay": _sum(logarithms, stays),
        "amount alone": amounts,
        "longest stay alone": stays,
    }


def _sum(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """The sum of two measures, each in standard deviations from its mean."""
    return [a + b for a, b in zip(standardised(one), standardised(other), strict=True)]

"""Every figure of a set of claims and labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib import resources
from typing import Any

from pipeline.claims.rules import Rules
from pipeline.claims.signals.provider_profile import NAMES
from workshop.benchmarks.detection.figures import figures
from workshop.benchmarks.detection.judging import Judged, judge, lookups_of
from workshop.benchmarks.detection.labelled import is_labelled
from workshop.benchmarks.detection.profiles import ClaimTable
from workshop.benchmarks.detection.rankings import by_profiles
from workshop.benchmarks.detection.report import Fired, Results, Row

RULES_1, RULES_2 = "rules 1.0", "rules 2.0, with lists and profiles"
LABEL = "synthetic_label_is_fraud"


def measure(
    claims: Sequence[dict[str, Any]],
    labels: Mapping[str, bool],
    lists: Mapping[str, Any],
    data: str,
    large: frozenset[str] = frozenset(),
) -> Results:
    """Measure claims, in the order in which they came, against the labels of providers.

    `lists` are look-ups by launch parameter; `large` are providers that must not stand out.
    """
    counts = Counter(claim["provider_id"] for claim in claims)
    providers = sorted(counts.keys() & labels.keys())
    truth, sizes = [labels[each] for each in providers], [counts[each] for each in providers]
    table = ClaimTable(claims)
    judged = _judged(claims, table, lists)
    means = {name: each.by_provider(claims) for name, each in judged.items()}
    rankings = {name: [mean[each] for each in providers] for name, mean in means.items()}
    rankings |= by_profiles(table, providers) | {"claim count alone": list(map(float, sizes))}
    rows = [
        Row(name, figures(scores, truth, sizes), _rate(judged.get(name)))
        for name, scores in rankings.items()
    ]
    best = dict(zip(providers, rankings[RULES_2], strict=True))
    first = sorted(providers, key=lambda each: (-best[each], each))[:50]
    truth_of_claims = _labels_of_claims(claims, labels)
    return Results(
        data,
        rows,
        _of_claims(claims, judged) if is_labelled(claims) else [],
        _of_rules(judged[RULES_2], truth_of_claims),
        _of_signals(table, providers, truth, sizes),
        {
            "claims": f"{len(claims):,}",
            "providers with a label and claims": f"{len(providers):,}",
            "of them fraud": f"{sum(truth):,}",
            "labelled providers without claims": f"{len(labels.keys() - counts.keys()):,}",
            "providers without a label": f"{len(counts.keys() - labels.keys()):,}",
            "honest large providers": f"{len(large):,}",
            "of them among the first 50 by rules 2.0": f"{len(large.intersection(first)):,}",
        },
    )


def _judged(
    claims: Sequence[dict[str, Any]], table: ClaimTable, lists: Mapping[str, Any]
) -> dict[str, Judged]:
    package = resources.files("workshop.benchmarks.detection")
    before = Rules(package.joinpath("rules_1_0.json").read_text("utf-8"))
    rules = Rules.default()
    judged = {RULES_1: judge(claims, before), "rules 2.0 alone": judge(claims, rules)}
    if lists:
        judged["rules 2.0, with lists"] = judge(claims, rules, lambda day: lists)
    judged[RULES_2] = judge(claims, rules, lookups_of(table, lists))
    return judged


def _rate(judged: Judged | None) -> float | None:
    return None if judged is None else sum(judged.flags) / len(judged.flags)


def _labels_of_claims(
    claims: Sequence[dict[str, Any]], labels: Mapping[str, bool]
) -> list[bool | None]:
    if is_labelled(claims):
        return [bool(claim[LABEL]) for claim in claims]
    return [labels.get(claim["provider_id"]) for claim in claims]


def _of_claims(claims: Sequence[dict[str, Any]], judged: Mapping[str, Judged]) -> list[Row]:
    truth = [bool(claim[LABEL]) for claim in claims]
    return [Row(name, figures(each.scores, truth), _rate(each)) for name, each in judged.items()]


def _of_rules(judged: Judged, truth: Sequence[bool | None]) -> list[Fired]:
    fraud: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for reasons, label in zip(judged.reasons, truth, strict=True):
        if label is not None:
            known.update(reasons)
            fraud.update(reasons if label else ())
    return [
        Fired(name, count, count / len(truth), fraud[name] / known[name] if known[name] else None)
        for name, count in judged.fired().most_common()
    ]


def _of_signals(
    table: ClaimTable, providers: Sequence[str], truth: Sequence[bool], sizes: Sequence[int]
) -> list[Row]:
    """Each signal of a profile alone, as of the day after the last service."""
    profiles = table.provider_profiles(table.days()[1] + timedelta(days=1), all_claims=True)
    return [
        Row(
            name,
            figures([profiles.value(place, each) or 0.0 for each in providers], truth, sizes),
        )
        for place, name in enumerate(NAMES)
    ]

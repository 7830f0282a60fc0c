"""Figures of a ranking against labels, ties counted as what they are."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import log, sqrt
from typing import NamedTuple

Scores = Sequence[float]
Labels = Sequence[bool]


class Figures(NamedTuple):
    """How well a score ranks; each is None where there are no labels of both kinds."""

    auc: float | None
    average_precision: float | None
    precision_at_50: float | None
    precision_at_100: float | None
    recall_at_5_percent: float | None
    """Share of the fraud that is among the 5% with the highest scores."""
    size_adjusted_auc: float | None = None
    """AUC of what the logarithm of the claim count does not explain of the score."""


def figures(scores: Scores, labels: Labels, sizes: Sequence[int] | None = None) -> Figures:
    """Every figure; `sizes` are claim counts."""
    if len(set(labels)) < 2:
        return Figures(None, None, None, None, None)
    return Figures(
        auc(scores, labels),
        average_precision(scores, labels),
        hits(scores, labels, 50) / min(50, len(scores)),
        hits(scores, labels, 100) / min(100, len(scores)),
        hits(scores, labels, max(1, round(len(scores) / 20))) / sum(labels),
        None if sizes is None else auc(residuals(scores, [log(size) for size in sizes]), labels),
    )


def _levels(scores: Scores, labels: Labels) -> Iterator[tuple[int, int]]:
    """From the highest score down: how many have it, and how many of them are fraud."""
    ranked = sorted(zip(scores, labels, strict=True), reverse=True)
    for _, level in groupby(ranked, key=lambda pair: pair[0]):
        those = [label for _, label in level]
        yield len(those), sum(those)


def auc(scores: Scores, labels: Labels) -> float:
    """The chance that fraud has a higher score than the rest; a tie counts half."""
    above = area = 0.0
    for size, fraud in _levels(scores, labels):
        area += (size - fraud) * (above + fraud / 2)
        above += fraud
    return area / (sum(labels) * (len(labels) - sum(labels)))


def average_precision(scores: Scores, labels: Labels) -> float:
    """The mean of the precision at each threshold, weighted with the recall it adds."""
    seen = found = 0
    total = 0.0
    for size, fraud in _levels(scores, labels):
        seen, found = seen + size, found + fraud
        total += fraud * found / seen
    return total / sum(labels)


def hits(scores: Scores, labels: Labels, count: int) -> float:
    """Fraud among the first `count`; of a tie that is cut, its share."""
    found, left = 0.0, count
    for size, fraud in _levels(scores, labels):
        taken = min(size, left)
        found += fraud * taken / size
        left -= taken
        if not left:
            break
    return found


def residuals(values: Scores, explained_by: Scores) -> list[float]:
    """What a straight line (least squares) leaves of the values."""
    x, y = _mean(explained_by), _mean(values)
    spread = sum((each - x) ** 2 for each in explained_by)
    slope = 0.0
    if spread:
        pairs = zip(explained_by, values, strict=True)
        slope = sum((each - x) * (value - y) for each, value in pairs) / spread
    return [
        value - y - slope * (each - x) for each, value in zip(explained_by, values, strict=True)
    ]


def standardised(values: Scores) -> list[float]:
    """Values as distances from their mean, in standard deviations."""
    mean = _mean(values)
    deviation = sqrt(_mean([(value - mean) ** 2 for value in values])) or 1.0
    return [(value - mean) / deviation for value in values]


def _mean(values: Scores) -> float:
    return sum(values) / len(values)

"""The figures as tables: Markdown and JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from workshop.benchmarks.detection.figures import Figures


class Row(NamedTuple):
    """One ranking and its figures."""

    name: str
    figures: Figures
    flag_rate: float | None = None
    """Share of claims that are flagged."""


class Fired(NamedTuple):
    """One rule."""

    name: str
    claims: int
    share: float
    """Of all claims."""
    precision: float | None
    """Share of these claims that are fraud; by the label of the provider where claims have none."""


class Results(NamedTuple):
    """All that was measured."""

    data: str
    """What the claims and the labels are, in words."""
    providers: list[Row]
    claims: list[Row]
    rules: list[Fired]
    signals: list[Row]
    notes: dict[str, Any]


_FIGURES = ("AUC", "avg. precision", "prec. at 50", "prec. at 100", "recall at 5%", "AUC by size")
_TITLE = """\
# Detection

{data}

*AUC by size* is the AUC of the part of a provider's score that the logarithm of its claim count
does not explain. Ties are counted as ties. Written by `make detect`.
"""


def markdown(results: Results) -> str:
    """The results as a page."""
    parts = [_TITLE.format(data=results.data)]
    for title, rows in (
        ("Providers", results.providers),
        ("Claims", results.claims),
        ("Signals of providers", results.signals),
    ):
        if rows:
            parts += [f"\n## {title}\n", *_lines(["", *_FIGURES, "claims flagged"], _ranked(rows))]
    if results.rules:
        header = ["rule", "claims", "share", "of them fraud"]
        parts += ["\n## Rules\n", *_lines(header, _fired(results.rules))]
    parts += ["\n## Notes\n", *(f"- {name}: {value}" for name, value in results.notes.items())]
    return "\n".join(parts) + "\n"


def document(results: Results) -> str:
    """The results as JSON."""
    as_dict = results._asdict()
    for name in ("providers", "claims", "signals"):
        as_dict[name] = [
            {"name": row.name, **row.figures._asdict(), "flag_rate": row.flag_rate}
            for row in as_dict[name]
        ]
    as_dict["rules"] = [fired._asdict() for fired in results.rules]
    return json.dumps(as_dict, indent=2) + "\n"


def _ranked(rows: Sequence[Row]) -> Iterator[list[str]]:
    for row in rows:
        flagged = "" if row.flag_rate is None else f"{row.flag_rate:.2%}"
        yield [row.name, *map(_text, row.figures), flagged]


def _fired(rules: Sequence[Fired]) -> Iterator[list[str]]:
    for rule in rules:
        yield [rule.name, f"{rule.claims:,}", f"{rule.share:.2%}", _text(rule.precision)]


def _text(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3f}"


def _lines(header: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"| --- |{' ---: |' * (len(header) - 1)}"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"

"""The sections about rules that fired, risk and quality, and about regions."""

from collections.abc import Sequence

from markupsafe import Markup

from claims_ops.report.measures import Measures, Row
from claims_ops.report.plot_ranking import Bar, ranking
from claims_ops.report.section import Section, Table
from claims_ops.report.svg import draw
from claims_ops.report.text import compact, count, part_of, share

BARS = 12
"""How many a plot shows; its table has all that the query returns."""


def reasons(measures: Measures) -> Section:
    """Which risk rules fired."""
    rows = _fired(measures, "risk")
    table = Table(
        "risk rules that fired",
        ("rule ", "claims", "share", "of high risk", "labelled", "of these fraud"),
        [
            (
                *_firing(row, measures),
                count(row["labelled_claims"]),
                share(row["labelled_fraud"], row["labelled_claims"]),
            )
            for row in rows
        ],
    )
    return Section(
        id="reasons",
        short="Risk reasons",
        title="Why claims are risky",
        lead="Claims on which each risk rule fired. The narrow bar inside: those of them that are"
        " flagged as high risk.",
        query="rules_fired",
        empty="No risk rule fired.",
        plot=_fired_plot(rows, measures, "Claims by risk rule"),
        tables=[table],
    )


def quality(measures: Measures) -> Section:
    """Which gaps the data has."""
    rows = _fired(measures, "quality")
    return Section(
        id="quality",
        short="Gaps in the data",
        title="Gaps in the data",
        lead="Claims with each quality issue: accepted, and not quite right. The narrow bar inside:"
        " those of them that are flagged as high risk.",
        query="rules_fired",
        empty="No claim has a quality issue.",
        plot=_fired_plot(rows, measures, "Claims by quality issue"),
        tables=[
            Table(
                "quality rules that fired",
                ("rule ", "claims", "share", "of high risk"),
                [_firing(row, measures) for row in rows],
            )
        ],
    )


def regions(measures: Measures) -> Section:
    """Where the high-risk claims are."""
    rows = measures.answers["regions"]
    risky = [row for row in rows if row["high_risk_claims"]]
    bars = [
        Bar(
            row["provider_region"] or "(no region)",
            row["high_risk_claims"],
            f"{row['high_risk_claims']:,} of {row['claims']:,}",
        )
        for row in risky[:BARS]
    ]
    return Section(
        id="regions",
        short="Regions",
        title="Regions",
        lead="High-risk claims by the region of the provider, beside all claims from there.",
        query="regions",
        empty="No claim in this range.",
        plot=draw(ranking(bars, "var(--risk)"), "High-risk claims by region") if bars else None,
        tables=[
            Table(
                "by region, those with the most high-risk claims first",
                ("region ", "claims", "amount", "of high risk", "share"),
                [
                    (
                        row["provider_region"] or "(no region)",
                        count(row["claims"]),
                        compact(row["total_amount"], 2),
                        count(row["high_risk_claims"]),
                        share(row["high_risk_claims"], row["claims"]),
                    )
                    for row in rows
                ],
            )
        ],
    )


def _fired(measures: Measures, kind: str) -> Sequence[Row]:
    return [row for row in measures.answers["rules_fired"] if row["kind"] == kind]


def _firing(row: Row, measures: Measures) -> tuple[str, ...]:
    return (
        row["rule"],
        count(row["claims"]),
        share(row["claims"], measures.claims),
        count(row["high_risk_claims"]),
    )


def _fired_plot(rows: Sequence[Row], measures: Measures, name: str) -> Markup | None:
    bars = [
        Bar(
            row["rule"],
            row["claims"],
            part_of(row["claims"], measures.claims),
            part=row["high_risk_claims"],
            tooltip=f"{row['rule']}: {row['claims']:,} claims,"
            f" {row['high_risk_claims']:,} of high risk",
        )
        for row in rows[:BARS]
    ]
    return draw(ranking(bars), name) if bars else None

"""The sections about rules that fired, risk and quality, and about regions."""

from collections.abc import Sequence

from claims_ops.report.meanings import meaning
from claims_ops.report.measures import Measures, Row
from claims_ops.report.section import Bar, Ranking, Section, Table, with_note
from claims_ops.report.text import NONE, compact, count, part_of, share

BARS = 12
"""How many regions the plot shows; its table has all that the query returns."""
SAYS_LITTLE = 20
"""Claims: with fewer of them, the share of a region says little (`sql/report/regions.sql`)."""


def reasons(measures: Measures) -> Section:
    """Which risk rules fired."""
    rows = _fired(measures, "risk")
    table = Table(
        "risk rules that fired",
        ("rule ", "claims", "share", "high-risk", "judged", "of these improper", "improper ($)"),
        [
            (
                *_firing(row, measures),
                count(row["judged_claims"]),
                share(row["improper_claims"], row["judged_claims"]),
                compact(row["improper_amount"], 2) if row["improper_claims"] else NONE,
            )
            for row in rows
        ],
    )
    return Section(
        id="reasons",
        short="Risk reasons",
        title="Why claims are risky",
        lead="Claims on which each risk rule fired. The inner bar shows those flagged as high risk."
        " Where verdicts are known, rules that were right most often come first (if they have at"
        " least 10 judged claims), then those with the largest improper amount." + _left_out(rows),
        query="rules_fired",
        empty="No risk rule fired.",
        ranking=_fired_ranking(rows, measures),
        tables=[table],
    )


def quality(measures: Measures) -> Section:
    """Which gaps the data has."""
    rows = _fired(measures, "quality")
    return Section(
        id="quality",
        short="Gaps in the data",
        title="Gaps in the data",
        lead="Claims with each quality issue: accepted, but with problems. The inner bar shows"
        " those flagged as high risk. Sorted in the same way as the risk rules." + _left_out(rows),
        query="rules_fired",
        empty="No claims have quality issues.",
        ranking=_fired_ranking(rows, measures),
        tables=[
            Table(
                "quality rules that fired",
                ("rule ", "claims", "share", "high-risk"),
                [_firing(row, measures) for row in rows],
            )
        ],
    )


def regions(measures: Measures) -> Section:
    """Where the share of high-risk claims is high."""
    rows = measures.answers["regions"]
    bars = [
        Bar(
            row["provider_region"] or "(no region)",
            row["high_risk_claims"] / row["claims"],
            f"{share(row['high_risk_claims'], row['claims'])}"
            f" ({row['high_risk_claims']:,} of {row['claims']:,})",
        )
        for row in rows[:BARS]
    ]
    return Section(
        id="regions",
        short="Regions",
        title="Regions",
        lead="The share of claims that are high-risk, by the provider's region. Regions with fewer"
        f" than {SAYS_LITTLE} claims come last: their share says little.",
        query="regions",
        empty="No claims in this range.",
        ranking=Ranking(bars, "risk") if bars else None,
        tables=[
            Table(
                "by region, highest share first",
                ("region ", "share", "high-risk", "claims", "amount ($)"),
                [
                    (
                        row["provider_region"] or "(no region)",
                        share(row["high_risk_claims"], row["claims"]),
                        count(row["high_risk_claims"]),
                        count(row["claims"]),
                        compact(row["total_amount"], 2),
                    )
                    for row in rows
                ],
            )
        ],
    )


def _fired(measures: Measures, kind: str) -> Sequence[Row]:
    return [row for row in measures.answers["rules_fired"] if row["kind"] == kind]


def _left_out(rows: Sequence[Row]) -> str:
    more = rows[0]["rules"] - len(rows) if rows else 0
    are = "rule fired but is" if more == 1 else "rules fired but are"
    return f" {more:,} more {are} not shown." if more else ""


def _firing(row: Row, measures: Measures) -> tuple[str, ...]:
    return (
        with_note(row["rule"], meaning(row["rule"])),
        count(row["claims"]),
        share(row["claims"], measures.current),
        count(row["high_risk_claims"]),
    )


def _fired_ranking(rows: Sequence[Row], measures: Measures) -> Ranking | None:
    bars = [
        Bar(
            row["rule"],
            row["claims"],
            f"{row['claims']:,}, {share(row['improper_claims'], row['judged_claims'])} improper"
            if row["judged_claims"]
            else part_of(row["claims"], measures.current),
            part=row["high_risk_claims"],
        )
        for row in rows
    ]
    return Ranking(bars) if bars else None

"""The sections about single scores: amount against score, providers, and on demand claims."""

from claims_ops.report.measures import CLAIMS, Measures
from claims_ops.report.plot_heatmap import amount_label, heatmap, score_label
from claims_ops.report.plot_ranking import Bar, ranking
from claims_ops.report.section import Section, Table
from claims_ops.report.svg import draw
from claims_ops.report.text import NONE, compact, count, part_of, share


def amount_by_score(measures: Measures) -> Section:
    """Whether the dear claims are the risky ones."""
    rows = measures.answers["amount_by_score"]
    return Section(
        id="amounts",
        short="Amounts",
        title="Amount against risk",
        lead="Claims by amount and fraud risk score: a number is that of the claims in a cell."
        " A frame marks cells with claims that are flagged as high risk.",
        query="amount_by_score",
        empty="No claim in this range.",
        plot=draw(heatmap(rows), "Claims by amount and fraud risk score") if rows else None,
        tables=[
            Table(
                "by amount and score; a score is above the first bound, up to the second",
                ("amount ($) ", "score ", "claims", "of high risk"),
                [
                    (
                        amount_label(row["amount_from"]),
                        score_label(row["score_to"]),
                        count(row["claims"]),
                        count(row["high_risk_claims"]),
                    )
                    for row in rows
                ],
            )
        ],
        wide=True,
    )


def thresholds(measures: Measures) -> Section:
    """How many claims another threshold would flag."""
    rows = measures.answers["amount_by_score"]
    above = [
        (tenths / 10, sum(row["claims"] for row in rows if row["score_to"] > tenths / 10))
        for tenths in range(10)
    ]
    bars = [
        Bar(f"above {score:g}", claims, part_of(claims, measures.claims)) for score, claims in above
    ]
    return Section(
        id="thresholds",
        short="Thresholds",
        title="What a threshold would flag",
        lead="Claims with a score above each value: those that would be flagged with it as"
        " high_risk_threshold.",
        query="amount_by_score",
        empty="No claim in this range.",
        plot=draw(ranking(bars), "Claims above each score") if rows else None,
        tables=[
            Table(
                "claims above each score",
                ("score above", "claims", "share"),
                [
                    (f"{score:g}", count(claims), share(claims, measures.claims))
                    for score, claims in above
                ]
                if rows
                else [],
            )
        ],
    )


def providers(measures: Measures) -> Section:
    """Where to begin to look."""
    return Section(
        id="providers",
        short="Providers",
        title="Providers to look at",
        lead="Those with the most high-risk claims, then by the amount of these. Amounts are"
        " rounded to two digits; reasons are those of the high-risk claims.",
        query="providers",
        empty="No provider has a claim of high risk.",
        tables=[
            Table(
                "Providers with high-risk claims",
                (
                    "provider ",
                    "of high risk",
                    "claims",
                    "share",
                    "their amount ($)",
                    "all amounts ($)",
                    "patients",
                    "mean score",
                    "reasons ",
                ),
                [
                    (
                        row["provider_id"],
                        count(row["high_risk_claims"]),
                        count(row["claims"]),
                        share(row["high_risk_claims"], row["claims"]),
                        compact(row["high_risk_amount"], 2),
                        compact(row["total_amount"], 2),
                        count(row["patients"]),
                        f"{row['mean_score']:.2f}",
                        row["risk_reasons"] or NONE,
                    )
                    for row in measures.answers["providers"]
                ],
                open=True,
            )
        ],
        wide=True,
    )


def riskiest_claims(measures: Measures) -> Section:
    """The claims themselves: health data, only with --include-claims."""
    return Section(
        id="claims",
        short="Claims",
        title="The riskiest claims",
        lead="Health data: a row is a patient's. The highest scores first, then the amounts.",
        query=CLAIMS,
        empty="No claim in this range.",
        tables=[
            Table(
                "The riskiest claims",
                (
                    "claim ",
                    "patient ",
                    "provider ",
                    "amount ($)",
                    "score",
                    "flagged ",
                    "reasons ",
                    "quality issues ",
                ),
                [
                    (
                        row["claim_id"],
                        row["patient_id"],
                        row["provider_id"],
                        f"{row['claim_amount']:,.2f}",
                        f"{row['fraud_risk_score']:.2f}",
                        "yes" if row["high_risk_flag"] else "no",
                        ", ".join(row["risk_reasons"]) or NONE,
                        ", ".join(row["quality_issues"]) or NONE,
                    )
                    for row in measures.answers[CLAIMS]
                ],
                open=True,
            )
        ],
        wide=True,
    )

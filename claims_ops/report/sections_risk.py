"""The sections about individual scores: amount against score, and, on request, claims."""

from collections.abc import Sequence

from claims_ops.report.measures import CLAIMS, Measures, Row
from claims_ops.report.plot_heatmap import amount_label, heatmap, score_label
from claims_ops.report.section import Section, Table
from claims_ops.report.svg import draw
from claims_ops.report.text import NONE, count


def amount_by_score(measures: Measures) -> Section:
    """Whether the expensive claims are the risky ones."""
    rows = measures.answers["amount_by_score"]
    return Section(
        id="amounts",
        short="Amounts",
        title="Amount against risk",
        lead="Claims by amount and fraud risk score: each cell shows its number of claims. A frame"
        " marks cells with claims flagged as high risk.",
        query="amount_by_score",
        empty="No claims in this range.",
        plot=draw(heatmap(rows), "Claims by amount and fraud risk score") if rows else None,
        tables=[
            Table(
                "by amount and score; a score range includes its upper bound but not its lower one",
                ("amount ($) ", "score ", "claims", "high-risk"),
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


def riskiest_claims(measures: Measures) -> Section:
    """The claims themselves: health data, only with --include-claims."""
    return Section(
        id="claims",
        short="Claims",
        title="The riskiest claims",
        lead="Health data: each row is about a patient. Highest score first, then highest amount.",
        query=CLAIMS,
        empty="No claims in this range.",
        tables=[claims_table(measures.answers[CLAIMS])],
        wide=True,
    )


def claims_table(rows: Sequence[Row]) -> Table:
    """Claims, each with its reasons: health data."""
    return Table(
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
            for row in rows
        ],
        open=True,
    )

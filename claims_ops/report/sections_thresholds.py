"""What another threshold would flag, and how right it would be."""

from claims_ops.report.measures import Measures, Row
from claims_ops.report.section import Section, Table
from claims_ops.report.text import NONE, compact, count, share

DEFAULT = 0.5
"""The launch parameter `high_risk_threshold`, where nobody sets it."""


def thresholds(measures: Measures) -> Section:
    """How many claims another threshold would flag, and how many of these were improper."""
    rows = measures.answers["thresholds"]
    used, better = in_use(measures), best(measures)
    judged = any(row["all_improper"] for row in rows)
    columns = ["score above ", "claims", "exactly that score", "amount ($)"]
    if judged:
        columns[1:1] = ["precision", "recall", "improper ($)", "of all improper ($)"]
    return Section(
        id="thresholds",
        short="Thresholds",
        title="What a threshold would flag",
        lead="Claims with a score above each value, which would be flagged if it were the"
        " high_risk_threshold. A claim whose score equals the threshold is not flagged. "
        + (
            "Precision and recall count judged claims only; the best balance of the two is the"
            " highest F1 score."
            if judged
            else "No disposition or label calls a claim improper, so precision is unknown."
        ),
        query="thresholds",
        empty="No claims in this range.",
        tables=[
            Table(
                "claims above each score",
                columns,
                [_row(row, used, better, judged) for row in rows],
                open=True,
                marked=[row is used or row is better for row in rows],
            )
        ],
        wide=True,
    )


def in_use(measures: Measures) -> Row | None:
    """The threshold that flags what was flagged: the default where it does, else the lowest."""
    same = [row for row in measures.answers["thresholds"] if not row["differences"]]
    return min(same, key=lambda row: abs(row["threshold"] - DEFAULT), default=None)


def best(measures: Measures) -> Row | None:
    """The threshold with the best balance of precision and recall (F1); None without either."""
    rows = [row for row in measures.answers["thresholds"] if row["improper"] and row["judged"]]
    return max(rows, key=lambda row: (_f1(row), row["threshold"]), default=None)


def precision_and_recall(row: Row) -> str:
    """`48.2% precision and 24.5% recall`."""
    precision = share(row["improper"], row["judged"])
    return f"{precision} precision and {share(row['improper'], row['all_improper'])} recall"


def _f1(row: Row) -> float:
    return float(2 * row["improper"] / (row["judged"] + row["all_improper"]))


def _row(row: Row, used: Row | None, better: Row | None, judged: bool) -> list[str]:
    marks = [word for word, each in (("now", used), ("best balance", better)) if row is each]
    cells = [
        f"{row['threshold']:g}" + (f" ({', '.join(marks)})" if marks else ""),
        count(row["claims"]),
        count(row["claims_at_threshold"]),
        compact(row["amount"], 2),
    ]
    if judged:
        cells[1:1] = [
            share(row["improper"], row["judged"]),
            share(row["improper"], row["all_improper"]),
            compact(row["improper_amount"], 2) if row["improper"] else NONE,
            share(row["improper_amount"], row["all_improper_amount"]),
        ]
    return cells

"""The sections about rejected messages."""

from claims_ops.report.measures import Measures
from claims_ops.report.section import Bar, Ranking, Section, Table
from claims_ops.report.text import NONE, count, instant, part_of, share

BARS = 12
"""How many a plot shows; its table has all that the query returns."""


def rejections(measures: Measures) -> Section:
    """Why messages were rejected."""
    rows, total = measures.answers["rejections"], measures.rejected
    bars = [
        Bar(row["error_code"], row["messages"], part_of(row["messages"], total))
        for row in rows[:BARS]
    ]
    causes = [
        (
            row["error_code"],
            row["stage"],
            count(row["messages"]),
            share(row["messages"], total),
            instant(row["first_seen"]),
            instant(row["last_seen"]),
        )
        for row in rows
    ]
    errors = [
        (row["error"], row["error_code"], count(row["messages"]))
        for row in measures.answers["rejection_errors"]
    ]
    return Section(
        id="rejections",
        short="Rejections",
        title="Why messages were rejected",
        lead="Rejected messages by error code. The second table has their error texts.",
        query="rejections",
        empty="No messages were rejected.",
        ranking=Ranking(bars, "rejected") if bars else None,
        tables=[
            Table(
                "by code and pipeline stage",
                ("code ", "stage ", "messages", "share", "first (UTC)", "last (UTC)"),
                causes,
            ),
            Table("by error text, most frequent first", ("error ", "code ", "messages"), errors),
        ],
    )


def violations(measures: Measures) -> Section:
    """Which rules of the contract were violated."""
    rows = measures.answers["violations"]
    bars = [
        Bar(f"{row['field']}: {row['rule']}", row["messages"], count(row["messages"]))
        for row in rows[:BARS]
    ]
    return Section(
        id="violations",
        short="Violated rules",
        title="What was wrong with the claim",
        lead="Fields of rejected messages, and the claim schema rules that they violated. A message"
        " that violates several rules is counted under each.",
        query="violations",
        empty="No rejected messages violated the claim schema.",
        ranking=Ranking(bars, "rejected") if bars else None,
        tables=[
            Table(
                "by field and rule, most frequent first",
                ("field ", "rule ", "messages", "share of rejected"),
                [
                    (
                        row["field"] or NONE,
                        row["rule"] or NONE,
                        count(row["messages"]),
                        share(row["messages"], measures.rejected),
                    )
                    for row in rows
                ],
            )
        ],
    )

"""The sections over time: volumes and latency."""

from collections.abc import Mapping
from typing import Any

from claims_ops.report.measures import Measures, steps
from claims_ops.report.plot_time import Line, Panel, lines, over_time
from claims_ops.report.section import Section, Table
from claims_ops.report.svg import draw
from claims_ops.report.text import count, duration, instant, share, step

_PANELS = (
    Panel("Claims scored", "claims", "var(--claims)"),
    Panel("Of these, of high risk", "high_risk_claims", "var(--risk)"),
    Panel("Messages rejected", "rejected", "var(--rejected)"),
)
_LINES = (
    Line("95 of 100 claims took at most", "latency_p95_ms"),
    Line("the median claim", "latency_p50_ms"),
)


def volumes(measures: Measures) -> Section:
    """How much came, when."""
    rows = _every_step(measures)
    seconds = measures.step_seconds
    told = [
        {
            **row,
            "tooltip": f"{instant(row['step'], seconds)}: {row['claims']:,} claims,"
            f" {row['high_risk_claims']:,} of high risk, {row['rejected']:,} rejected",
        }
        for row in rows
    ]
    table = Table(
        f"in steps of {step(seconds)}",
        ("begin (UTC) ", "claims", "of high risk", "share", "rejected", "share of messages"),
        [
            (
                instant(row["step"], seconds),
                count(row["claims"]),
                count(row["high_risk_claims"]),
                share(row["high_risk_claims"], row["claims"]),
                count(row["rejected"]),
                share(row["rejected"], row["claims"] + row["rejected"]),
            )
            for row in rows
        ],
    )
    return Section(
        id="volumes",
        short="Volumes",
        title="Volumes over time",
        lead=f"Messages by the time at which they became a row (UTC), in steps of {step(seconds)}."
        " Each panel has a scale of its own.",
        query="volumes",
        empty="No message in this range.",
        plot=draw(over_time(told, _PANELS, seconds), "Volumes over time") if rows else None,
        tables=[table],
        wide=True,
    )


def latency(measures: Measures) -> Section:
    """How long claims took."""
    rows = measures.answers["latency"]
    seconds = measures.step_seconds
    told = [
        {
            **row,
            "tooltip": f"{instant(row['step'], seconds)}: median"
            f" {duration(row['latency_p50_ms'])}, 95% {duration(row['latency_p95_ms'])}",
        }
        for row in rows
    ]
    plotted = any(row["claims"] for row in rows)
    table = Table(
        f"in steps of {step(seconds)}",
        (
            "begin (UTC) ",
            "claims",
            "median",
            "95%",
            "longest",
            "since ingest_ts: median",
            "95%",
        ),
        [
            (
                instant(row["step"], seconds),
                count(row["claims"]),
                *(
                    duration(row[name])
                    for name in (
                        "latency_p50_ms",
                        "latency_p95_ms",
                        "latency_max_ms",
                        "event_lag_p50_ms",
                        "event_lag_p95_ms",
                    )
                ),
            )
            for row in rows
        ],
    )
    return Section(
        id="latency",
        short="Latency",
        title="Latency",
        lead="From Pub/Sub taking a message to the score of its claim; claims of a backfill have"
        " none. The table has the lag since ingest_ts, too.",
        query="latency",
        empty="No claim in this range.",
        plot=draw(lines(told, _LINES, seconds, "seconds"), "Latency over time")
        if plotted
        else None,
        tables=[table],
        wide=True,
    )


def _every_step(measures: Measures) -> list[Mapping[str, Any]]:
    if measures.first_seen is None or measures.last_seen is None:
        return []
    nothing = {"claims": 0, "high_risk_claims": 0, "rejected": 0}
    rows: dict[Any, Mapping[str, Any]] = {
        at: {"step": at} | nothing
        for at in steps(measures.first_seen, measures.last_seen, measures.step_seconds)
    }
    rows |= {row["step"]: row for row in measures.answers["volumes"]}
    return [rows[at] for at in sorted(rows)]

"""The sections over time: volumes and latency."""

from claims_ops.report.measures import Measures, every_step
from claims_ops.report.plot_time import Line, Panel, lines, over_time
from claims_ops.report.section import Section, Table
from claims_ops.report.svg import draw
from claims_ops.report.text import count, duration, instant, share, step
from claims_ops.shared.claim_times import PROCESSING
from claims_ops.shared.counted import counted

_PANELS = (
    Panel("Claims scored", "claims", "var(--claims)"),
    Panel("Of these, high-risk", "high_risk_claims", "var(--risk)"),
    Panel("Messages rejected", "rejected", "var(--rejected)"),
)
_BY = {
    PROCESSING: "Messages by the time their rows were written",
    "service_date": "Claims by date of service, if they have one",
    "submission_date": "Claims by date of submission, if they have one",
}
_LINES = (
    Line("95% of claims within", "latency_p95_ms"),
    Line("median claim", "latency_p50_ms"),
)


def volumes(measures: Measures) -> Section:
    """How much arrived, and when."""
    # Rejected messages have a time of processing only.
    panels = _PANELS if measures.axis == PROCESSING else _PANELS[:2]
    seconds = measures.step_seconds
    counts = [panel.column for panel in _PANELS]
    found = every_step(measures.answers["volumes"], measures.axis_ends, seconds, counts)
    rows = [
        {
            **row,
            "tooltip": f"{instant(row['step'], seconds)}: {counted(row['claims'], 'claim')},"
            f" {row['high_risk_claims']:,} high-risk, {row['rejected']:,} rejected",
        }
        for row in found
    ]
    table = Table(
        f"in steps of {step(seconds)}",
        ("start (UTC) ", "claims", "high-risk", "share", "rejected")[: len(panels) + 2],
        [
            (
                instant(row["step"], seconds),
                count(row["claims"]),
                count(row["high_risk_claims"]),
                share(row["high_risk_claims"], row["claims"]),
                count(row["rejected"]),
            )[: len(panels) + 2]
            for row in rows
        ],
    )
    return Section(
        id="volumes",
        short="Volumes",
        title="Volumes over time",
        lead=f"{_BY[measures.axis]} (UTC), in steps of {step(seconds)}. Each panel has its own"
        " scale and counts all rows, including replaced and voided claims.",
        query="volumes",
        empty="No messages in this range.",
        plot=draw(over_time(rows, panels, seconds), "Volumes over time") if rows else None,
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
            "start (UTC) ",
            "claims",
            "median",
            "95%",
            "longest",
            "since ingest_ts: median",
            "since ingest_ts: 95%",
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
        lead="From when Pub/Sub received a message to when its claim was scored. Claims from a"
        " backfill have no latency. The table also shows the lag since ingest_ts, for claims that"
        " were scored no earlier than that time.",
        query="latency",
        empty="No claims in this range.",
        plot=draw(lines(told, _LINES, seconds, "seconds"), "Latency over time")
        if plotted
        else None,
        tables=[table],
        wide=True,
    )

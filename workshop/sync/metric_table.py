"""The table of metrics in docs/reference/metrics.md."""

from collections.abc import Iterator

from pipeline.transforms import metrics


def rows() -> Iterator[str]:
    """Its lines, in Markdown."""
    sections = {
        "Steps": metrics.STEP_METRICS,
        "Sink of each table, with `STORAGE_WRITE_API`": metrics.SINK_METRICS,
    }
    yield "| metric | kind | what it measures |"
    yield "|---|---|---|"
    for section, listed in sections.items():
        yield f"| **{section}** | | |"
        for metric in listed:
            kind = "distribution" if metric.is_distribution else "counter"
            yield f"| `{metric.name}` | {kind} | {metric.meaning} |"

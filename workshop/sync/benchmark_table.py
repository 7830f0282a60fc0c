"""What the benchmark says of the promises of the product, as a table in Markdown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "workshop/benchmarks/results.json"
"""Written by `make bench`."""


def rows() -> Iterator[str]:
    """The lines of the table, one promise each."""
    yield "| promise | measured | range | promised | |"
    yield "|---|---:|---:|---:|---|"
    for verdict in json.loads(RESULTS.read_text())["verdicts"]:
        yield _row(verdict)


def _row(verdict: dict[str, Any]) -> str:
    ratio = verdict["ratio"]
    limit = f"{'at least' if verdict['at_least'] else 'at most'} {verdict['limit']:g}"
    spread = f"{ratio['least']:.2f} to {ratio['most']:.2f}"
    kept = "kept" if verdict["is_kept"] else "**not kept**"
    return f"| {verdict['promise']} | {ratio['median']:.2f} | {spread} | {limit} | {kept} |"

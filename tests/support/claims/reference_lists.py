"""The made-up reference files of `tests/cases/reference`, in the layouts of their publishers."""

from functools import cache
from pathlib import Path
from typing import Any

from pipeline.claims.signals.table import SOURCES

ROOT = Path(__file__).parents[2] / "cases" / "reference"
FILES = {
    "excluded_providers": "excluded_providers.csv",
    "mue_table": "mue_table.csv",
    "ptp_edits": "ptp_edits.txt",
    "provider_profile": "provider_profile.csv",
    "claim_percentiles": "claim_percentiles.csv",
}
"""By launch parameter."""


@cache
def text(parameter: str) -> str:
    """The text of a file."""
    return (ROOT / FILES[parameter]).read_text("utf-8")


def read(parameter: str, written: str) -> Any:
    """What a worker reads a text into."""
    return SOURCES[parameter].read(written.splitlines(keepends=True))


@cache
def lookups() -> dict[str, Any]:
    """Every file, read."""
    return {parameter: read(parameter, text(parameter)) for parameter in SOURCES}

"""The committed names of steps: from labels that older jobs have to those of this code."""

import json
from collections.abc import Mapping
from pathlib import Path

NAMES = Path(__file__).with_name("transform_names.json")
"""Old label or prefix -> new one, "" for a removed step; every entry ever made, for old jobs."""


def transform_names() -> dict[str, str]:
    """The committed names; Dataflow's `transform_name_mapping`."""
    names: dict[str, str] = json.loads(NAMES.read_text())
    return names


def entry_for(label: str, names: Mapping[str, str]) -> str | None:
    """The longest prefix of a label among the names, in whole parts, if there is one."""
    parts = label.split("/")
    prefixes = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in names), None)

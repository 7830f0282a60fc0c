"""The dashboard and the alert policies of `monitoring/`, and whether a project has them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

DIRECTORY = Path(__file__).parents[2] / "monitoring"
ALERTS = tuple(sorted(path.stem for path in (DIRECTORY / "alerts").glob("*.json")))
_JOBS = "claims.*"
_SILENT: tuple[Any, ...] = (None, "", 0, False, "0s", [], {})
"""What a service leaves out of its answers."""


def dashboard(name: str) -> dict[str, Any]:
    """The dashboard of the jobs whose names begin with `name`."""
    return _document(DIRECTORY / "dashboard.json", name)


def alert(stem: str, name: str, channels: Sequence[str]) -> dict[str, Any]:
    """An alert policy about the jobs whose names begin with `name`, which tells these channels."""
    document = _document(DIRECTORY / "alerts" / f"{stem}.json", name)
    return document | ({"notificationChannels": list(channels)} if channels else {})


def _document(path: Path, name: str) -> dict[str, Any]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise click.ClickException(f"{path} is missing; run the command in a checkout") from None
    document: dict[str, Any] = json.loads(text.replace(_JOBS, f"{name}.*"))
    if name != "claims":
        document["displayName"] += f" ({name})"
    return document


def holds(found: Any, wanted: Any) -> bool:
    """Whether what a service has says all that the file says; it may add to it."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            each in _SILENT if key not in found else holds(found[key], each)
            for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(holds(*pair) for pair in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)

"""What the workers of a scene did, read from their journal, and what that says of a duplicate."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

KILLED = "worker killed before it acknowledged"
HANDED_BACK = "delivered again by Pub/Sub"
FAILED = "bundle failed and ran again"
REPEATED = "append repeated after its answer was lost"


@dataclass
class Bundle:
    """One run of some messages through the graph."""

    began: float
    """On the clock that all processes share (CLOCK_MONOTONIC)."""
    ids: list[str]
    leases: list[str]
    ended: float | None = None
    """None: its worker was killed, or is at it."""
    acknowledged: frozenset[str] = frozenset()
    has_failed: bool = False

    def why_again(self, message_id: str) -> str | None:
        """Why a message of it came again; None if it was acknowledged."""
        if self.ended is None:
            return KILLED
        if self.has_failed:
            return FAILED
        return None if message_id in self.acknowledged else HANDED_BACK


def read(path: Path) -> list[Bundle]:
    """The bundles so far, in the order of their beginning."""
    bundles: dict[str, Bundle] = {}
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        if not line.endswith("\n"):
            continue  # being written, or its writer was killed
        entry = json.loads(line)
        if entry["event"] == "began":
            bundles[entry["bundle"]] = Bundle(entry["at"], entry["ids"], entry["leases"])
            continue
        bundle = bundles[entry["bundle"]]
        bundle.ended = entry["at"]
        bundle.has_failed = entry["event"] != "acknowledged"
        bundle.acknowledged = frozenset(entry["ids"])
    return list(bundles.values())


def acknowledged(bundles: Iterable[Bundle]) -> set[str]:
    """The messages that are done."""
    return {each for bundle in bundles for each in bundle.acknowledged}


def causes(
    rows: Mapping[str, int], bundles: list[Bundle], faults: Iterable[float]
) -> tuple[Counter[str], set[str]]:
    """Why messages have more than one row: counted by cause, and those without any.

    `rows` is the number of rows by message id; `faults` are the times at which connections to
    BigQuery were cut or its answers lost.
    """
    found: Counter[str] = Counter()
    unexplained = set()
    times = list(faults)
    for message_id, count in rows.items():
        if count < 2:
            continue
        runs = [bundle for bundle in bundles if message_id in bundle.ids]
        whys = [why for run in runs if (why := run.why_again(message_id))]
        if any(_meets(run, at) for run in runs for at in times) and count > len(runs):
            found[REPEATED] += 1
        elif whys and count <= len(runs):
            found[whys[0]] += 1
        else:
            unexplained.add(message_id)
    return found, unexplained


def _meets(run: Bundle, at: float) -> bool:
    return run.began <= at and (run.ended is None or at <= run.ended)

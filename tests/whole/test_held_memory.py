"""Memory counts what is held: messages of 10 MB do not pile up beside their small rows."""

import json
import subprocess
import sys

from tests.support.held_memory import ACCEPTED, LINES, REJECTED

MOST_MB = 500


def test_messages_of_10_mb_are_held_within_bounds() -> None:
    command = [sys.executable, "-m", "tests.support.held_memory"]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    *peaks, rows = map(json.loads, found.stdout.splitlines())
    print(peaks)
    assert rows == {"claims": ACCEPTED + LINES, "errors": REJECTED}
    assert [peak["peak_mb"] for peak in peaks if peak["peak_mb"] >= MOST_MB] == []

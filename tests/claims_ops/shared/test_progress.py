"""The progress bar: on a terminal, after a second, and gone at the end."""

import sys
from contextlib import closing
from io import StringIO

import pytest

from claims_ops.shared import progress
from claims_ops.shared.progress import ProgressLine


class Terminal(StringIO):
    """What is written to it is kept."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "APPEARS_AFTER_S", 0.0)
    monkeypatch.setattr(progress, "REFRESH_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize("has_end, fraction", [(True, "50%"), (False, "0:00:0")])
def test_bar_tells_how_far_it_is(has_end: bool, fraction: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    with closing(ProgressLine("messages", has_end=has_end)) as line:
        for done in range(3):
            line.update(5_000 + done, 0.5)
    assert "5,002 messages" in shown.getvalue()
    assert fraction in shown.getvalue()
    assert ("50%" in shown.getvalue()) == has_end


@pytest.mark.parametrize("stream, hidden", [(Terminal(), True), (StringIO(), False)])
def test_nothing_is_shown(stream: StringIO, hidden: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", stream)
    with closing(ProgressLine("messages", hidden=hidden)) as line:
        line.update(1, 0.5)
    assert stream.getvalue() == ""

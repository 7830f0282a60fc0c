"""Mistyped commands: each ends in one line that names what was meant, and starts nothing."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from claims_ops.main import main

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "cases/options/mistyped_commands.json").read_text()
)
LAUNCHES = Path(__file__).parents[1] / "cases/options/mistyped_launches.json"


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["typed"]))
def test_mistyped_command(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def started(*anything: Any, **more: Any) -> Any:
        raise AssertionError("something was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(socket.socket, "connect", started)
    monkeypatch.delenv("PROJECT", raising=False)
    assert main(case["typed"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("claims: ")
    for said in case["says"]:
        assert said in err


def test_there_are_forty_and_more():
    assert len(CASES) + len(json.loads(LAUNCHES.read_text())) > 40

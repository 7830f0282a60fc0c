"""The walk of docs/start/maps.md: its claims and its map give what the page says."""

import json
import re
from pathlib import Path

import pytest

from claims_ops import main as cli

PAGE = (Path(__file__).parents[2] / "docs/start/maps.md").read_text()
EXPORT, MAP = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)[:2]


def test_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("export.ndjson").write_text(EXPORT)
    Path("my.jsonata").write_text(MAP)
    for command in re.findall(r"^ {4}claims (check .*export\.ndjson)$", PAGE, re.M):
        assert cli.main(command.split()) == 1
    assert capsys.readouterr().out.count("messages: 2 claims accepted, 1 rejected") == 1

    assert cli.main(["check", "--json", "export.ndjson"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["claims"], found["rejected"], len(found["causes"])) == (0, 3, 7)

    assert cli.main(["check", "--json", "--map=my.jsonata", "export.ndjson"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {each["error"].partition(":")[0] for each in found["causes"]} == {
        "claim_amount",
        "service_date",
    }
    assert [each["first"] for each in found["causes"]] == 2 * [["export.ndjson:3"]]

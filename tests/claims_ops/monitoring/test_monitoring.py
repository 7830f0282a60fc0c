"""`claims monitoring`: what a project lacks is created, what differs updated, and no more."""

import json
from pathlib import Path
from typing import Any

import pytest

from claims_ops.deployment.gcloud import Command
from claims_ops.deployment.gcloud import Gcloud as OurGcloud
from claims_ops.main import main
from claims_ops.monitoring.documents import ALERTS, holds
from tests.support.google.gcloud import Gcloud, unknown_to_gcloud

CHANNEL = "projects/my-project/notificationChannels/1"


class Project:
    """What gcloud would keep in a project; it answers as the services do, which add fields."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
        self.commands: list[Command] = []

    def read(self, gcloud: OurGcloud, command: Command) -> Any:
        *kind, verb = command
        assert verb == "list"
        self.commands.append(command)
        return list(self.kept.get(tuple(kind), {}).values())

    def run(self, gcloud: OurGcloud, command: Command) -> str:
        self.commands.append(command)
        place = next(i for i, word in enumerate(command) if word in ("create", "update"))
        there = self.kept.setdefault(command[:place], {})
        document = json.loads(Path(command[-1].partition("=")[2]).read_text())
        if command[place] == "create":
            name = f"projects/my-project/things/{len(there)}"
            added = {"name": name, "etag": "1", "mutationRecord": {"mutateTime": "now"}}
            there[name] = self._answered(document) | added
        else:
            name = command[place + 1]
            assert document["etag"] == there[name]["etag"]
            there[name] |= self._answered(document) | {"etag": f"{there[name]['etag']}1"}
        return ""

    def _answered(self, document: dict[str, Any]) -> dict[str, Any]:
        """Conditions get names, and durations of nothing are left out."""
        copy: dict[str, Any] = json.loads(json.dumps(document))
        for condition in copy.get("conditions", ()):
            condition["name"] = "a/b"
            query = condition["conditionPrometheusQueryLanguage"]
            if query["duration"] == "0s":
                del query["duration"]
        return copy

    @property
    def changes(self) -> list[Command]:
        return [command for command in self.commands if "list" not in command]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project()
    monkeypatch.setattr(OurGcloud, "read", lambda self, command: project.read(self, command))
    monkeypatch.setattr(OurGcloud, "run", lambda self, command: project.run(self, command))
    return project


def monitoring(*words: str) -> int:
    return main(["monitoring", "--project=my-project", *words])


def test_twice_changes_nothing(project: Project, capsys: pytest.CaptureFixture[str]):
    assert monitoring() == 0
    assert capsys.readouterr().out.count("created ") == len(ALERTS) + 1
    assert len(project.changes) == len(ALERTS) + 1
    for words in ([], ["--dry-run"]):
        assert monitoring(*words) == 0
        out = capsys.readouterr().out
        assert out.count("unchanged ") == len(ALERTS) + 1
        assert out.endswith("0 of 8 would change.\n" if words else "Nothing changed.\n")
    assert len(project.changes) == len(ALERTS) + 1


def test_what_was_changed_by_hand_is_as_it_should_be_again(project: Project, capsys):
    assert monitoring(f"--channel={CHANNEL}") == 0
    policies = project.kept["alpha", "monitoring", "policies"]
    (changed,) = (each for each in policies.values() if "dead letter" in each["displayName"])
    changed["severity"] = "WARNING"
    capsys.readouterr()
    assert monitoring("--dry-run") == 0
    assert "would update    Claims: dead letters are waiting\n" in capsys.readouterr().out
    assert changed["severity"] == "WARNING"
    assert monitoring() == 0
    assert "updated         Claims: dead letters are waiting\n" in capsys.readouterr().out
    assert changed["severity"] == "ERROR"
    assert changed["notificationChannels"] == [CHANNEL]  # which this run did not name
    assert monitoring("--channel=projects/my-project/notificationChannels/2") == 0
    assert capsys.readouterr().out.count("updated ") == len(ALERTS)


def test_without_and_another_name(project: Project, capsys):
    assert monitoring("--without=dead_letters", "--name=eu-claims") == 0
    written = json.dumps(list(project.kept.values()))
    assert "dead letters are waiting" not in written
    assert "eu-claims.*" in written
    assert '\\"claims.*' not in written
    assert monitoring() == 0  # those of the other name are others
    assert capsys.readouterr().out.count("created ") == 2 * len(ALERTS) + 1


def test_gcloud_takes_the_commands(project: Project, tmp_path: Path):
    monitoring()
    for there in project.kept.values():
        for document in there.values():
            document.update(conditions=[], mosaicLayout={})
    monitoring()
    shapes = {tuple(word for word in each if "/" not in word): each for each in project.commands}
    verbs = {word for shape in shapes for word in shape}
    assert verbs >= {"list", "create", "update", "dashboards", "policies"}
    asked = [("run", ["gcloud", *command]) for command in shapes.values()]
    assert unknown_to_gcloud(Gcloud(tmp_path), asked) == []


@pytest.mark.parametrize(
    "found, wanted, equal",
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": "0s"}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": [1, {"c": 2, "d": 3}]}}, {"a": {"b": [1, {"c": 2}]}}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": "text"}, {"a": {"b": 1}}, False),
    ],
)
def test_holds(found: Any, wanted: Any, equal: bool):
    assert holds(found, wanted) is equal

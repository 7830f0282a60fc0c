"""`claims sync`: what it writes, and that a forgotten one is found and named."""

import shutil
from dataclasses import replace
from pathlib import Path

import click
import pytest

from claims_ops.main import COMMANDS, main
from pipeline.claims import tables
from pipeline.claims.contract import Column
from pipeline.launch import options
from pipeline.launch.parameter import Parameter
from pipeline.transforms import metrics
from pipeline.transforms.metrics import Metric
from workshop.sync.command import _GENERATED

ROOT = Path(__file__).parents[3]
PARAMETERS = "docs/reference/parameters.md"
THRESHOLD = "high_risk_threshold"
CHANGES = {
    "added": lambda declared: [replace(declared, name="member_id"), declared],
    "renamed": lambda declared: [replace(declared, name="member_id")],
    "removed": lambda declared: [],
    "another default": lambda declared: [replace(declared, default=0.6)],
    "another help": lambda declared: [replace(declared, help="Another.")],
    "hidden": lambda declared: [replace(declared, hidden=True)],
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is generated."""
    for name in _GENERATED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_checkout_is_in_step(capsys: pytest.CaptureFixture[str]):
    assert main(["sync", "--check"]) == 0
    assert capsys.readouterr().out.count("is up to date") == len(_GENERATED)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_parameter_is_named_until_synced(
    change: str,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    changed: list[Parameter] = []
    for parameter in options.PARAMETERS:
        changed += CHANGES[change](parameter) if parameter.name == THRESHOLD else [parameter]
    monkeypatch.setattr(options, "PARAMETERS", tuple(changed))
    names = ["metadata.json", PARAMETERS]
    names += ["terraform/parameters.tf"] if change != "hidden" else []
    before = [(checkout / name).read_text() for name in names]

    assert main(["sync", "--check", "--root", str(checkout)]) == 1
    out, err = capsys.readouterr()
    assert THRESHOLD in out
    assert err == f"claims: out of date: {', '.join(names)}; run claims sync\n"
    assert before == [(checkout / name).read_text() for name in names]

    assert main(["sync", "--root", str(checkout)]) == 0
    assert main(["sync", "--check", "--root", str(checkout)]) == 0


def test_a_changed_metric_is_named_until_synced(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    added = Metric("member_count", "Members.", is_distribution=True)
    monkeypatch.setattr(metrics, "STEP_METRICS", (*metrics.STEP_METRICS, added))
    assert main(["sync", "--check", "--root", str(checkout)]) == 1
    out, err = capsys.readouterr()
    assert "+| `member_count` | distribution | Members. |" in out
    assert err == "claims: out of date: docs/reference/metrics.md; run claims sync\n"
    assert main(["sync", "--root", str(checkout)]) == 0
    assert added.name in (checkout / "docs/reference/metrics.md").read_text()


def test_a_changed_column_is_named_until_synced(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    inner = Column("until", "DATE", description="Its last day.")
    added = Column("plan", "RECORD", description="The plan, a|b.", fields=(inner,))
    monkeypatch.setattr(tables, "ERROR_COLUMNS", (*tables.ERROR_COLUMNS, added))
    assert main(["sync", "--check", "--root", str(checkout)]) == 1
    out, err = capsys.readouterr()
    assert "+| `plan` | RECORD | NULLABLE | The plan, a\\|b. |" in out
    assert "+| `plan.until` | DATE | NULLABLE | Its last day. |" in out
    names = "docs/reference/tables.md, terraform/tables/errors.json"
    assert err == f"claims: out of date: {names}; run claims sync\n"
    assert main(["sync", "--root", str(checkout)]) == 0
    assert added.name in (checkout / "docs/reference/tables.md").read_text()


def test_a_changed_help_is_named_until_synced(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = COMMANDS["tables"].load()
    added = click.Option(["--only"], type=click.Choice(["a", "b"]), help="One of them.")
    monkeypatch.setattr(command, "params", [*command.params, added])
    assert main(["sync", "--check", "--root", str(checkout)]) == 1
    out, err = capsys.readouterr()
    assert "+| `--only [a\\|b]` | One of them. |" in out
    assert err == "claims: out of date: docs/reference/commands.md; run claims sync\n"
    assert main(["sync", "--root", str(checkout)]) == 0
    assert "--only" in (checkout / "docs/reference/commands.md").read_text()


def test_every_command_has_its_section():
    text = (ROOT / "docs/reference/commands.md").read_text()
    assert [name for name in COMMANDS if f"\n## claims {name}\n" not in text] == []


def test_a_missing_file_is_written(checkout: Path):
    (checkout / "metadata.json").unlink()
    assert main(["sync", "--check", "--root", str(checkout)]) == 1
    assert main(["sync", "--root", str(checkout)]) == 0
    assert (checkout / "metadata.json").read_text() == (ROOT / "metadata.json").read_text()


@pytest.mark.parametrize("spoil", [lambda text: "", lambda text: text + text])
def test_a_page_without_place_for_its_block_is_refused(
    spoil, checkout: Path, capsys: pytest.CaptureFixture[str]
):
    page = checkout / PARAMETERS
    page.write_text(spoil(page.read_text()))
    (checkout / "metadata.json").unlink()
    assert main(["sync", "--root", str(checkout)]) == 1
    assert capsys.readouterr().err.startswith(f"claims: {PARAMETERS}: must contain <!-- written by")
    assert not (checkout / "metadata.json").exists()

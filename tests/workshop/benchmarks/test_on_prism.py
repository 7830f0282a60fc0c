"""What `make engines` writes into the page of the benchmark, and that `make bench` keeps it."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import clients
from workshop.benchmarks import machine, on_prism
from workshop.benchmarks.inputs import write_claims
from workshop.benchmarks.measure import environment
from workshop.benchmarks.null_servers import NullServers, null_servers

FLAGS = ["--runner=FnApiRunner"]


@pytest.fixture(scope="module")
def servers() -> Iterator[NullServers]:
    with null_servers() as started:
        yield started


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_prism, "SMALL", 20)
    monkeypatch.setattr(on_prism, "LARGE", 60)


def test_the_line_is_written_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = tmp_path / "results.md"
    page.write_text("# Benchmark\n\n## More\n\ntext\n")
    costs = iter([30, 40, 32, 44, 99, 42])  # in turn

    def measured(_directory: str, flags: list[str], _servers: NullServers) -> dict[str, float]:
        prism = "--runner=PrismRunner" in flags
        assert ("--prism_location=program" in flags) == prism
        return {"us_a_claim": next(costs), "seconds": 3, "peak_mb": 366 if prism else 248}

    monkeypatch.setattr(on_prism, "_measured", measured)
    monkeypatch.setattr(machine, "describe", lambda: {"cpu": "a model"})
    on_prism.main("program", tmp_path)
    written = page.read_text()
    assert written.startswith("# Benchmark\n\n## More\n\ntext\n\n## Engines\n\n")
    assert "\n| FnApiRunner | 32.0 | 3.0 | 248 |\n| Prism | 42.0 | 3.0 | 366 |\n" in written
    assert "cpu a model" in written
    engines = json.loads((tmp_path / "engines.json").read_text())["engines"]
    assert engines["Prism"] == {"us_a_claim": 42, "seconds": 3, "peak_mb": 366}

    on_prism.add_to_page(tmp_path)  # once more changes nothing
    assert page.read_text() == written
    page.write_text("# Benchmark\n\n## Other\n")  # as `make bench` does
    on_prism.add_to_page(tmp_path)
    assert page.read_text() == written.replace("## More\n\ntext", "## Other")


def test_a_page_without_figures_stays(tmp_path: Path):
    (tmp_path / "results.md").write_text("# Benchmark\n")
    on_prism.add_to_page(tmp_path)
    assert (tmp_path / "results.md").read_text() == "# Benchmark\n"


def test_measured_run(tmp_path: Path, servers: NullServers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(clients.write_credentials(tmp_path)))
    for name, value in environment(servers).items():
        monkeypatch.setenv(name, value)
    for size in (20, 60):
        list(write_claims(tmp_path / str(size), size, 0.0))
    before = servers.rows().total()
    found = on_prism.measure(str(tmp_path), *FLAGS)
    assert servers.rows().total() - before == 20 + 20 + 60
    assert found["peak_mb"] > 10
    assert found["seconds"] > 0


def test_a_run_that_loses_rows_is_no_figure(servers: NullServers, monkeypatch: pytest.MonkeyPatch):
    writes_nothing = subprocess.CompletedProcess([], 0, "{}", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: writes_nothing)
    with pytest.raises(SystemExit, match="100 rows were to come, and 0 came"):
        on_prism._measured(os.devnull, FLAGS, servers)

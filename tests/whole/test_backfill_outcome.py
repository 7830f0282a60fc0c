"""A backfill on this machine, as a shell starts it: what it prints, and its exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import main
from pipeline.claims.contract import Contract
from pipeline.launch import prepare, progress
from pipeline.transforms import lines
from pipeline.transforms.metrics import Tally
from tests.support.backfill import TABLES
from tests.support.bigquery.fault_server import FaultServer
from tests.support.privacy import job

pytestmark = pytest.mark.timeout(120, func_only=True)  # a fixture may build Prism
BAD = [b"no JSON", b"{}", b'{"claim_id": 1}']


@pytest.fixture(params=["FnApiRunner", "PrismRunner"])
def runner(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "FnApiRunner":
        return ["--runner=DirectRunner"]
    flags: list[str] = request.getfixturevalue("prism")
    return flags


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """The Write API, with tables that are there."""
    monkeypatch.setattr(prepare, "prepare_tables", lambda launch, made, project: {})
    monkeypatch.setattr(prepare, "wait_for_write_path", lambda launch, made, done: None)
    with job.server(Contract.default()) as started:
        yield started


@pytest.fixture
def arguments(server: FaultServer, claims: list[bytes], tmp_path: Path) -> list[str]:
    (tmp_path / "a.ndjson").write_bytes(b"\n".join([*claims[:600], *BAD]))
    (tmp_path / "b.ndjson").write_bytes(b"\n".join(claims[600:1000]))
    endpoint = f"--bigquery_storage_endpoint={server.address}"
    return [f"--input_files={tmp_path}/*.ndjson", *TABLES, endpoint]


def test_it_tells_its_end(
    runner: list[str],
    arguments: list[str],
    server: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """In many bundles, of whose counts Prism loses some."""
    monkeypatch.setattr(lines, "RANGE_BYTES", 20_000)
    monkeypatch.setattr(progress, "ELSEWHERE_SECONDS", 0.05)
    assert main.main([*runner, *arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    numbers = json.loads(out)
    high_risk = sum(row["high_risk_flag"] for row in server.tables[job.CLAIMS].rows)
    assert numbers.pop("seconds") > 0
    assert numbers == {
        **{"read": 1003, "claims": 1000, "high_risk": high_risk, "errors": 3},
        **{"without_claim": 0, "missing": 0},
        **{"output_table": "my-project:claims.claims", "error_table": "my-project:claims.errors"},
    }
    assert high_risk > 0
    assert " s  read " in err


def test_rows_that_never_came_fail_it(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The fault: an acknowledgement that counts for one row less."""
    flush = Tally.flush

    def lossy(tally: Tally) -> None:
        tally["rows_written"] -= tally["rows_written"] > 500
        flush(tally)

    monkeypatch.setattr(Tally, "flush", lossy)
    assert main.main(["--runner=FnApiRunner", *arguments]) == main.EXIT_FAILED
    out = capsys.readouterr().out
    assert out.startswith("read 1,003 = 1,000 claims (")
    assert "\nMissing rows: 1." in out
    assert "claims reconcile --output-table my-project.claims.claims" in out

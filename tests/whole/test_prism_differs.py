"""What differs between FnApiRunner and Prism: the table in docs/understand/engines.md."""

import functools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from google.rpc import code_pb2

from pipeline import main
from pipeline.claims.contract import Contract
from pipeline.launch import prepare
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite
from sandbox.emulators.emulators import PROJECT
from tests.support.backfill import TABLES, run
from tests.support.bigquery.fault_server import Fault
from tests.support.privacy import job
from tests.support.privacy.canaries import ACCEPTED, UNPARSABLE
from tests.support.privacy.observation import observing

pytestmark = pytest.mark.timeout(120, func_only=True)  # a fixture may build Prism


@pytest.fixture(params=["FnApiRunner", "PrismRunner"])
def is_prism(request: pytest.FixtureRequest) -> bool:
    """The engine of a test that runs on both."""
    return bool(request.param == "PrismRunner")


@pytest.fixture
def engine(is_prism: bool, request: pytest.FixtureRequest) -> list[str]:
    """Its flags."""
    flags: list[str] = request.getfixturevalue("prism") if is_prism else ["--runner=FnApiRunner"]
    return flags


def test_names_of_metrics(is_prism: bool, engine: list[str], claims: list[bytes], tmp_path: Path):
    path = tmp_path / "claims.ndjson"
    path.write_bytes(claims[0])
    with job.server(Contract.default()) as server:
        result = run(path, f"--bigquery_storage_endpoint={server.address}", *engine)
    found = result.metrics().query()["counters"]
    steps = {each.key.step for each in found if each.key.metric.namespace == "claims"}
    assert len(steps) > 1
    assert {step.startswith("ref_AppliedPTransform_") for step in steps} == {is_prism}
    assert hasattr(result, "monitoring_infos") != is_prism


FAILURES = {
    "appends failed": ("a.ndjson", ACCEPTED[0], [Fault(code_pb2.UNAVAILABLE, ends_call=True)]),
    "error table refused": ("b.ndjson", UNPARSABLE["invalid_json"], []),
}


@pytest.mark.parametrize("reason", FAILURES)
def test_a_job_that_fails(
    reason: str,
    is_prism: bool,
    engine: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    """Neither tries the bundle again, which would succeed; Prism gives a longer text."""
    impatient = functools.partial(StorageWrite, limits=AppendLimits(budget_seconds=0))
    monkeypatch.setattr(prepare, "StorageWrite", impatient)
    name, data, faults = FAILURES[reason]
    (tmp_path / name).write_bytes(data)
    with job.server(Contract.default(), faults) as server, observing(capfd) as observation:
        server.is_bad = lambda row: "stage" in row
        endpoint = f"--bigquery_storage_endpoint={server.address}"
        with pytest.raises(Exception, match=reason) as raised:
            job.run(observation, tmp_path / name, endpoint, *engine)
        assert not any(table.rows for table in server.tables.values())
    text = str(raised.value)
    assert bool(re.match(r"Pipeline job-\d+.* failed in state FAILED", text)) == is_prism
    assert ("Traceback (most recent call last)" in text) == is_prism
    assert observation.leaks() == {}


@pytest.mark.parametrize(
    "parameter, value",
    [("input_files", "nowhere.ndjson"), ("prism_location", "nowhere"), ("rules", "nowhere.json")],
)
def test_a_wrong_parameter_starts_nothing(
    parameter: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "claims.ndjson").touch()
    given = {"input_files": tmp_path / "claims.ndjson", "prism_location": trap(tmp_path)}
    flags = [f"--{name}={text}" for name, text in {**given, parameter: tmp_path / value}.items()]
    assert main.main(["--runner=PrismRunner", *TABLES, *flags]) == main.EXIT_USAGE
    assert_one_line(parameter, tmp_path, capsys)


def test_pubsub_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """In one line."""
    flags = ["--runner=PrismRunner", f"--prism_location={trap(tmp_path)}"]
    source = "--input_subscription=projects/my-project/subscriptions/claims"
    assert main.main([*flags, *TABLES, source]) == main.EXIT_USAGE
    assert_one_line("runner", tmp_path, capsys)


def trap(directory: Path) -> Path:
    """A Prism that leaves a trace when it is started."""
    path = directory / "prism"
    path.write_text(f"#!/bin/sh\ntouch {directory / 'started'}\n")
    path.chmod(0o755)
    return path


def assert_one_line(parameter: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = capsys.readouterr().err
    assert said.startswith(f"claims: {parameter}: ")
    assert said.count("\n") == 1
    assert not (directory / "started").exists()


def test_prism_itself_refuses_pubsub(prism: list[str]):
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming", *prism]))
    pipeline | beam.io.ReadFromPubSub(subscription="projects/my-project/subscriptions/claims")
    with pytest.raises(grpc.RpcError, match="unsupported feature.*beam:transform:pubsub_read:v1"):
        pipeline.run()


def below(process: int) -> list[int]:
    """The processes that a process has started, which run."""
    found = subprocess.run(["ps", "--ppid", str(process), "-o", "pid="], capture_output=True)
    return list(map(int, found.stdout.split()))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def in_the_middle(
    engine: list[str], claim: bytes, dataset: str, directory: Path
) -> Iterator["subprocess.Popen[str]"]:
    """A backfill, started as by a shell, whose appends have no server."""
    path = directory / "claims.ndjson"
    path.write_bytes(claim)
    tables = [f"--output_table={dataset}.claims", f"--error_table={dataset}.errors"]
    nobody = "--bigquery_storage_endpoint=127.0.0.1:9"
    command = [sys.executable, "-m", "pipeline.main", f"--project={PROJECT}"]
    command += [*engine, f"--input_files={path}", *tables, nobody]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as launched:
        assert launched.stderr
        assert any("appends to" in line for line in launched.stderr)
        yield launched


@pytest.mark.usefixtures("emulated")
def test_ctrl_c_ends_all_of_it(
    is_prism: bool, engine: list[str], claims: list[bytes], dataset: str, tmp_path: Path
):
    with in_the_middle(engine, claims[0], dataset, tmp_path) as launched:
        started = below(launched.pid)
        assert len(started) == is_prism
        launched.send_signal(signal.SIGINT)
        for _ in launched.stderr or ():
            pass
        assert launched.wait(30) == main.EXIT_INTERRUPTED
    deadline = time.monotonic() + 10
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, started))

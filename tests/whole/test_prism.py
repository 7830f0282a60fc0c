"""The jobs on Prism, the runner that Beam itself prefers on a user's machine.

What it writes, counts and says is compared with FnApiRunner, on which all other tests run.
"""

import bz2
import functools
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc import code_pb2

from pipeline import clients, main
from pipeline.claims.contract import Contract
from pipeline.launch import prepare
from pipeline.privacy.pseudonyms import PREFIX
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.transforms import lines
from sandbox.emulators.emulators import PROJECT
from sandbox.emulators.local_server import ServerMissing
from tests.conftest import unavailable
from tests.support import beam_programs, hostile_corpus
from tests.support.backfill import TABLES, Outcome, contents, counters, run, stored
from tests.support.bigquery.fault_server import Fault
from tests.support.bigquery.insert_server import insert_server
from tests.support.privacy import canaries, job
from tests.support.privacy.canaries import ACCEPTED, UNPARSABLE
from tests.support.privacy.observation import observing

pytestmark = pytest.mark.timeout(120, func_only=True)  # a fixture may build Prism

REFERENCE = ["--runner=FnApiRunner"]


@pytest.fixture(scope="module")
def prism() -> list[str]:
    """The flags of a launch on Prism."""
    try:
        return ["--runner=PrismRunner", f"--prism_location={beam_programs.prism()}"]
    except ServerMissing as missing:
        unavailable(missing)


def inserted(pattern: Path, *arguments: str) -> Outcome:
    """The outcome by streaming inserts."""
    with insert_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        patch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
        result = run(pattern, "--write_method=STREAMING_INSERTS", *arguments)
        claims, errors = (
            contents(server.rows[f"my-project.claims.{name}"]) for name in ("claims", "errors")
        )
    return Outcome(claims, errors, counters(result))


@pytest.fixture(scope="module")
def files(claims: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference claims and the hostile corpus: in many ranges, and packed."""
    directory = tmp_path_factory.mktemp("files")
    hostile = [entry.data for entry in hostile_corpus.entries()]
    (directory / "claims.ndjson").write_bytes(b"\n".join(claims))
    (directory / "hostile.ndjson").write_bytes(b"\n".join(hostile))
    (directory / "some.ndjson.gz").write_bytes(gzip.compress(b"\n".join(claims[:500])))
    (directory / "some.ndjson.bz2").write_bytes(bz2.compress(b"\n".join(claims[500:600])))
    return directory / "*"


def test_rows_of_many_bundles(
    prism: list[str], files: Path, claims: list[bytes], monkeypatch: pytest.MonkeyPatch
):
    """The same rows; of bundles that report a counter for the first time at once, Prism keeps one.

    (`contributeMetrics` puts what it cannot name yet in one place for each counter.)
    """
    monkeypatch.setattr(lines, "RANGE_BYTES", 1_000_000)
    found, expected = stored(files, *prism), stored(files, *REFERENCE)
    assert found[:2] == expected[:2]
    assert found.counters <= expected.counters
    messages = len(claims) + len(hostile_corpus.entries()) + 600
    assert found.claims.total() + found.errors.total() == messages
    assert expected.counters["received"] == expected.counters["rows_written"] == messages
    assert found.claims.total() > len(claims) + 600
    assert found.errors.total() > 100


@pytest.fixture
def few(claims: list[bytes], tmp_path: Path) -> Path:
    """A file of 300 claims, and what is none."""
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join([*claims[:300], *UNPARSABLE.values()]))
    return path


def test_pseudonyms(prism: list[str], few: Path, tmp_path: Path):
    (tmp_path / "key").write_text("Key4b1d-wUf3n0b2Rr8Jm6Yq1Xz7Lc5TdGhK")
    more = ["--pseudonymise=patient_id,claim_id", f"--pseudonym_key={tmp_path / 'key'}"]
    found = stored(few, *more, *prism)
    assert found == stored(few, *more, *REFERENCE)
    assert found.claims.total() == 300
    assert all(f"'patient_id': '{PREFIX}" in row for row in found.claims)


def test_streaming_inserts(
    prism: list[str], few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    credentials = clients.write_credentials(tmp_path)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    found = inserted(few, *prism)
    assert found == inserted(few, *REFERENCE)
    assert found.claims.total() == 300
    assert found.errors.total() == len(UNPARSABLE)


def test_write_faults_show_no_value(prism: list[str], tmp_path: Path, capfd):
    """Appends that fail for a while, and refused rows; the server's texts quote values."""
    outage = [
        Fault(code_pb2.UNAVAILABLE, ends_call=True),
        Fault(code_pb2.RESOURCE_EXHAUSTED),
        Fault(code_pb2.INTERNAL, ends_call=True),
    ]
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join(canaries.MESSAGES))
    schema = tmp_path / "claim.schema.json"
    schema.write_text(canaries.contract_text())
    contract = Contract(schema.read_text())
    with job.server(contract, outage) as server, observing(capfd) as observation:
        endpoint = f"--bigquery_storage_endpoint={server.address}"
        result = run(path, endpoint, f"--claim_schema={schema}", *prism)
        observation.said["metrics"].append(repr(counters(result)))
        accepted, rejected = server.tables[job.CLAIMS].rows, server.tables[job.ERRORS].rows
    assert observation.leaks() == {}
    assert len(accepted) + len(rejected) == len(canaries.MESSAGES)
    assert {"row_fields_error", "row_refused"} <= {row["error_code"] for row in rejected}


FAILURES = {
    "appends failed": ("a.ndjson", ACCEPTED[0], [Fault(code_pb2.UNAVAILABLE, ends_call=True)]),
    "error table refuses": ("b.ndjson", UNPARSABLE["invalid_json"], []),
}


@pytest.mark.parametrize("reason", FAILURES)
def test_a_job_that_fails(
    reason: str, prism: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
):
    """It fails at once, as Prism tries no bundle again; the reason is in a longer text."""
    impatient = functools.partial(StorageWrite, limits=AppendLimits(budget_seconds=0))
    monkeypatch.setattr(prepare, "StorageWrite", impatient)
    name, data, faults = FAILURES[reason]
    (tmp_path / name).write_bytes(data)
    with job.server(Contract.default(), faults) as server, observing(capfd) as observation:
        server.is_bad = lambda row: "stage" in row
        endpoint = f"--bigquery_storage_endpoint={server.address}"
        with pytest.raises(
            RuntimeError, match=rf"^Pipeline job-\d+.* failed in state FAILED(.|\n)*{reason}"
        ):
            job.run(observation, tmp_path / name, endpoint, *prism)
    assert observation.leaks() == {}


@pytest.mark.parametrize(
    "parameter, value",
    [("input_files", "nowhere.ndjson"), ("prism_location", "nowhere"), ("rules", "nowhere.json")],
)
def test_a_wrong_parameter_starts_nothing(parameter: str, value: str, tmp_path: Path, capsys):
    (tmp_path / "claims.ndjson").touch()
    trap = tmp_path / "prism"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    trap.chmod(0o755)
    given = {"input_files": tmp_path / "claims.ndjson", "prism_location": trap}
    flags = [f"--{name}={text}" for name, text in {**given, parameter: tmp_path / value}.items()]
    assert main.main(["--runner=PrismRunner", *TABLES, *flags]) == main.EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"claims: {parameter}: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "started").exists()


def below(process: int) -> list[int]:
    """The processes that a process has started, which run."""
    found = subprocess.run(["ps", "--ppid", str(process), "-o", "pid="], capture_output=True)
    return list(map(int, found.stdout.split()))


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("engine", ["DirectRunner", "PrismRunner"])
def test_ctrl_c_ends_all_of_it(
    engine: str, request: pytest.FixtureRequest, claims: list[bytes], dataset: str, tmp_path: Path
):
    flags = request.getfixturevalue("prism") if engine == "PrismRunner" else [f"--runner={engine}"]
    path = tmp_path / "claims.ndjson"
    path.write_bytes(claims[0])
    tables = [f"--output_table={dataset}.claims", f"--error_table={dataset}.errors"]
    nobody = "--bigquery_storage_endpoint=127.0.0.1:9"
    command = [sys.executable, "-m", "pipeline.main", f"--project={PROJECT}"]
    command += [*flags, f"--input_files={path}", *tables, nobody]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as launched:
        assert launched.stderr
        said: Iterator[str] = iter(launched.stderr)
        assert any("appends to" in line for line in said)  # it is in the middle of the job
        started = below(launched.pid)
        assert len(started) == (engine == "PrismRunner")
        launched.send_signal(signal.SIGINT)
        for _ in said:
            pass
        assert launched.wait(30) == main.EXIT_INTERRUPTED
    deadline = time.monotonic() + 10
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, started))


def test_without_go_it_is_one_line(tmp_path: Path):
    """A machine without Go, and with nothing built: the reason, and what to install."""
    script = beam_programs.engine.HERE / "beam.sh"
    for name in ("bash", "dirname", "sed", "mkdir", "flock"):
        (tmp_path / name).symlink_to(
            next(Path(d) / name for d in os.environ["PATH"].split(":") if (Path(d) / name).exists())
        )
    ended = subprocess.run(
        [script, "prism"],
        env={"PATH": str(tmp_path), "CLAIMS_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == beam_programs.engine.UNAVAILABLE
    assert ended.stderr.count("\n") == 1
    assert "Go is missing: sudo apt-get install golang-go" in ended.stderr

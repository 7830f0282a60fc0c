"""The jobs on Prism, the runner that Beam itself prefers on a user's machine.

What it writes, counts and says is compared with FnApiRunner, on which all other tests run.
"""

import bz2
import gzip
import os
import subprocess
from pathlib import Path

import pytest
from google.rpc import code_pb2

from pipeline import clients
from pipeline.claims.contract import Contract
from pipeline.privacy.pseudonyms import PREFIX
from pipeline.transforms import lines
from tests.support import beam_programs, hostile_corpus
from tests.support.backfill import Outcome, contents, counters, run, stored
from tests.support.bigquery.fault_server import Fault
from tests.support.bigquery.insert_server import insert_server
from tests.support.privacy import canaries, job
from tests.support.privacy.canaries import UNPARSABLE
from tests.support.privacy.observation import observing

pytestmark = pytest.mark.timeout(120, func_only=True)  # a fixture may build Prism

REFERENCE = ["--runner=FnApiRunner"]


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

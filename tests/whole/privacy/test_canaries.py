"""No value of a claim comes out of a job except in the rows of its two tables.

Claims with a canary in every field go through the whole job, along every way to fail, with all
loggers at their lowest level; then all that the process has said is searched. That the search finds
what it is to find is proved in `test_leaks.py`.
"""

import functools
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2

from pipeline import clients, main
from pipeline.claims.contract import Contract
from pipeline.claims.formats.json_documents import ERRORS as PARSE_ERRORS
from pipeline.claims.message import Message
from pipeline.launch import prepare
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.transforms import sources
from tests.support.bigquery.fault_server import Fault
from tests.support.bigquery.insert_server import RowError, insert_server
from tests.support.privacy import canaries, job
from tests.support.privacy.canaries import ACCEPTED, MARK, MESSAGES, SURPRISES, UNPARSABLE
from tests.support.privacy.observation import observing

OUTAGE = (
    Fault(code_pb2.UNAVAILABLE, ends_call=True),
    Fault(code_pb2.RESOURCE_EXHAUSTED),
    Fault(code_pb2.PERMISSION_DENIED),
    Fault(code_pb2.INTERNAL, ends_call=True),
)
"""What the service says in these answers quotes a value, too."""
ALL_CODES = {
    *(("parse", code) for code in PARSE_ERRORS),
    ("validate", "schema_violation"),
    *((stage, "internal_error") for stage in SURPRISES),
}
"""Every cause that the messages are made for, but for those of the write."""


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "claim.schema.json"
    path.write_text(canaries.contract_text())
    return path


@pytest.fixture
def contract(schema: Path) -> Contract:
    return Contract(schema.read_text())


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join(MESSAGES))
    return path


@pytest.fixture
def attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the lines of files the attributes of messages, canaries too."""
    given = {
        MARK: MARK,
        "replay_count": MARK,
        "original_message_id": MARK,
        "original_publish_time": MARK,
    }

    def read(*arguments: Any) -> Any:
        for message in original(*arguments):
            yield Message(message.data, message.message_id, None, given)

    original = sources.read_lines
    monkeypatch.setattr(sources, "read_lines", read)


def said(rows: list[dict[str, Any]]) -> str:
    """What the error table says of messages beside the messages themselves."""
    return repr([{name: row.get(name) for name in job.SAID} for row in rows])


def codes(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["stage"], row["error_code"]) for row in rows}


@pytest.mark.usefixtures("surprises", "attributes")
def test_storage_write(claims: Path, schema: Path, contract: Contract, capfd):
    with job.server(contract, OUTAGE) as server, observing(capfd) as observation:
        endpoint = f"--bigquery_storage_endpoint={server.address}"
        job.run(observation, claims, endpoint, f"--claim_schema={schema}")
    accepted, rejected = server.tables[job.CLAIMS].rows, server.tables[job.ERRORS].rows
    observation.said["error texts"].append(said(rejected))
    assert observation.leaks() == {}
    assert len(accepted) + len(rejected) == len(MESSAGES)
    assert len(accepted) >= len(ACCEPTED)
    assert {row.get("raw_message", "").encode() for row in rejected} >= set(canaries.INVALID)
    refusals = {"row_fields_error", "row_refused"}
    assert codes(rejected) == ALL_CODES | {("write", code) for code in refusals}


@pytest.mark.usefixtures("surprises", "attributes")
def test_redacted_errors(claims: Path, schema: Path, contract: Contract, capfd):
    """With `error_payload=REDACTED` the error table holds no value either."""
    with job.server(contract) as server, observing(capfd) as observation:
        endpoint = f"--bigquery_storage_endpoint={server.address}"
        arguments = ["--error_payload=REDACTED", f"--claim_schema={schema}"]
        job.run(observation, claims, endpoint, *arguments)
    rejected = server.tables[job.ERRORS].rows
    observation.said["error table"].append(repr(rejected))
    assert observation.leaks() == {}
    assert {row["raw_encoding"] for row in rejected} == {"redacted"}
    assert sum('"claim_id": "string"' in row.get("raw_message", "") for row in rejected) > 50


@pytest.mark.usefixtures("surprises", "attributes")
def test_streaming_inserts(
    claims: Path, schema: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
):
    def refuse(row: Any) -> RowError | None:
        is_refused = "patient_id" in row and row["claim_id"] == f"{MARK}-bad"
        return RowError("invalid", "notes", f"Cannot convert {row}") if is_refused else None

    with insert_server() as server, observing(capfd) as observation:
        server.refuse, server.failures = refuse, [503]
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        credentials = clients.write_credentials(tmp_path)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
        arguments = ["--write_method=STREAMING_INSERTS"]
        job.run(observation, claims, *arguments, f"--claim_schema={schema}")
    accepted, rejected = (server.rows[f"my-project.claims.{name}"] for name in ("claims", "errors"))
    observation.said["error texts"].append(said(rejected))
    assert observation.leaks() == {}
    assert len(accepted) + len(rejected) == len(MESSAGES)
    refusals = {"insert_invalid", "row_too_large"}
    assert codes(rejected) == ALL_CODES | {("write", code) for code in refusals}


def test_job_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    """Appends that fail for too long, an error row that is refused."""
    impatient = functools.partial(StorageWrite, limits=AppendLimits(budget_seconds=0))
    monkeypatch.setattr(prepare, "StorageWrite", impatient)
    cases = {
        "appends failed": ("a.ndjson", ACCEPTED[0], [Fault(code_pb2.UNAVAILABLE, ends_call=True)]),
        "error table refused": ("b.ndjson", UNPARSABLE["invalid_json"], []),
    }
    for told, (name, data, faults) in cases.items():
        (tmp_path / name).write_bytes(data)
        with job.server(Contract.default(), faults) as server, observing(capfd) as observation:
            server.is_bad = lambda row: "stage" in row
            with pytest.raises(Exception, match=told):
                endpoint = f"--bigquery_storage_endpoint={server.address}"
                job.run(observation, tmp_path / name, endpoint)
        assert observation.leaks() == {}


@pytest.mark.parametrize("parameter", ["rules", "claim_schema"])
def test_launch_with_claims_for_a_document(parameter: str, tmp_path: Path, capfd):
    """An operator who mixes up files is told so, without what is in them."""
    documents = (
        b"\n".join(ACCEPTED),
        ACCEPTED[0],
        b"[%b]" % ACCEPTED[0],
        UNPARSABLE["invalid_utf8"],
    )
    path = tmp_path / "document.json"
    tables = ["--output_table=my-project:claims.claims", "--error_table=my-project:claims.errors"]
    for document in documents:
        path.write_bytes(document)
        arguments = ["--runner=FnApiRunner", f"--input_files={path}", f"--{parameter}={path}"]
        with observing(capfd) as observation:
            assert main.main([*arguments, *tables]) == main.EXIT_USAGE
        assert f"claims: {parameter}: {path}" in "".join(observation.said["stderr"])
        assert observation.leaks() == {}

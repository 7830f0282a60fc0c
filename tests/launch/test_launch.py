"""Launches that fail: one line that names parameter and reason, soon, and without a traceback."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from google.cloud import bigquery

from pipeline import main
from pipeline.claims.contract import default_contract_text
from pipeline.claims.rules import default_rules_text
from pipeline.launch.rehearsal import RehearsalFailed
from pipeline.sinks.bigquery import table_setup
from sandbox.emulators.emulators import PROJECT

SOON_SECONDS = 20  # half of it on a machine with nothing else to do
RETRY = table_setup._RETRY
CLAIM = Path(__file__).parents[1] / "cases/graph/input.ndjson"


@pytest.fixture
def emulator(bigquery_server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in bigquery_server.environment.items():
        monkeypatch.setenv(name, value)
    yield


@pytest.fixture
def closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A BigQuery that nobody serves, and a launch that tries it for a moment only."""
    monkeypatch.setattr(table_setup, "_RETRY", RETRY.with_timeout(0.1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)


def arguments(**given: str | None) -> list[str]:
    """Those of a launch in which nothing is wrong but what is given; None leaves one out."""
    right = {
        "runner": "FnApiRunner",
        "input_files": str(CLAIM),
        "output_table": f"{PROJECT}:claims.claims",
        "error_table": f"{PROJECT}:claims.errors",
    }
    return [f"--{name}={value}" for name, value in (right | given).items() if value is not None]


def refusal(capsys: pytest.CaptureFixture[str], given: list[str]) -> str:
    """The line with which a launch fails, before anything runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beam.Pipeline, "run", lambda *_: pytest.fail("the pipeline was started"))
        assert main.main(given) == main.EXIT_USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


WRONG_ARGUMENTS = {
    "table": ({"output_table": "claims"}, r"output_table: 'claims' is not valid"),
    "no table": ({"error_table": None}, r"error_table: is required"),
    "both sources": (
        {"input_topic": "projects/my-project/topics/claims"},
        r"input_topic: .* input_topic and input_files were passed",
    ),
    "no source": (
        {"input_files": None},
        r"input_subscription: pass exactly one of .* none was passed",
    ),
    "no such files": ({"input_files": "/nowhere/*.ndjson"}, r"input_files: no file matches /now"),
    "no such rules": (
        {"rules": "/nowhere/rules.json"},
        r"rules: /nowhere/rules.json does not exist",
    ),
    "no such schema": (
        {"claim_schema": "/nowhere/claim.json"},
        r"claim_schema: /nowhere/claim.json does not exist",
    ),
    "runner": ({"runner": "Nonsense"}, r"Beam: Unexpected pipeline runner: Nonsense"),
    "no bucket": (
        {"runner": "DataflowRunner", "input_files": "gs://my-bucket/claims.ndjson"},
        r"temp_location: is required on Dataflow",
    ),
    "no folder": (
        {
            "runner": "dataflow",
            "input_files": "gs://my-bucket/claims.ndjson",
            "staging_location": "gs://my-bucket",
        },
        r"staging_location: 'gs://my-bucket' must have the form gs://bucket/folder",
    ),
    "not Runner v2": (
        {"runner": "apache_beam.runners.DataflowRunner", "experiments": "disable_runner_v2"},
        r"experiments: disable_runner_v2 is not allowed, because Python jobs need Runner v2",
    ),
    "threshold": ({"high_risk_threshold": "50"}, r"high_risk_threshold: '50' is not valid"),
    "misspelt": ({"eror_table": "x"}, r"eror_table: is not a parameter; did you mean --error_tab"),
}


@pytest.mark.parametrize("given, said", WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS)
def test_wrong_argument(given: dict[str, str | None], said: str, capsys):
    assert re.match(rf"claims: {said}", refusal(capsys, arguments(**given)))


def document(text: str, *path: str | int, value: Any) -> str:
    """A document with another value, or none, at a path."""
    whole = json.loads(text)
    place = whole
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(whole)


RULES, SCHEMA = default_rules_text(), default_contract_text()
MUE_TITLES = "HCPCS/CPT Code,MUE Values,MUE Adjudication Indicator"
BROKEN = {
    "rules: not JSON": ("rules", "{", "not JSON"),
    "rules: not text": ("rules", b"\xff", "is not UTF-8 text"),
    "rules: an array": ("rules", "[]", "an object with risk_rules and quality_rules"),
    "rules: weight": (
        "rules",
        document(RULES, "risk_rules", 0, "weight", value=2),
        r"risk_rules\[0\].weight: must be between 0 and 1",
    ),
    "rules: no condition": (
        "rules",
        document(RULES, "risk_rules", 1, "when", value=None),
        r"risk_rules\[1\]: must have exactly the keys id, description, when, weight",
    ),
    "rules: no JSON Schema": (
        "rules",
        document(RULES, "quality_rules", 0, "when", value={"properties": {"notes": {"type": 1}}}),
        r"quality_rules\[0\].when.properties.notes.type: not a valid JSON Schema",
    ),
    "rules: unknown field": (
        "rules",
        document(RULES, "risk_rules", 0, "when", value={"properties": {"amount": {}}}),
        r"risk_rules\[0\].when: amount is neither a field nor a signal",
    ),
    "rules: ground truth": (
        "rules",
        document(
            RULES,
            *("risk_rules", 0, "when"),
            value={"properties": {"synthetic_label_is_fraud": {"const": 1}}},
        ),
        r"risk_rules\[0\].when: synthetic_label_is_fraud is ground truth",
    ),
    "schema: not JSON": ("claim_schema", "nonsense", "not JSON"),
    "schema: no fields": ("claim_schema", "{}", "properties: "),
    "schema: no JSON Schema": (
        "claim_schema",
        document(SCHEMA, "properties", "notes", "maxLength", value="long"),
        "properties.notes.maxLength: not a valid JSON Schema",
    ),
    "schema: core field": (
        "claim_schema",
        document(SCHEMA, "properties", "claim_id", value=None),
        "the required field claim_id is missing",
    ),
    "list: another layout": ("excluded_providers", "a,b,c\n", "the column 'NPI' is missing"),
    "list: empty": ("ptp_edits", "", "the column 'Column 1' is missing"),
    "list: no entries": ("mue_table", f"{MUE_TITLES}\n", "is empty"),
    "schema: reserved column": (
        "claim_schema",
        document(SCHEMA, "properties", "risk_reasons", value={"type": "string"}),
        "properties.risk_reasons: ",
    ),
}


def wide(fields: int) -> str:
    """The default schema with so many more fields."""
    whole = json.loads(SCHEMA)
    whole["properties"] |= {f"field_{i}": {"type": "string"} for i in range(fields)}
    return json.dumps(whole)


BROKEN |= {
    "rules: a key twice": (
        "rules",
        RULES.replace('"weight": 0.3', '"weight": 0.3, "weight": 0.9', 1),
        r"risk_rules\[\d\].weight: duplicate key",
    ),
    "schema: UTF-16": ("claim_schema", SCHEMA.encode("utf-16"), "is not UTF-8 text"),
    "schema: more columns than a table can have": (
        "claim_schema",
        wide(10_000),
        "properties: a table can have at most 10,000 columns",
    ),
}


def test_what_the_rehearsal_finds_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys):
    def failing(settings: Any) -> None:
        raise RehearsalFailed("rules", "workers would fail with it (why)")

    monkeypatch.setattr("pipeline.launch.prepare.rehearse", failing)
    line = refusal(capsys, arguments())
    assert line == "claims: rules: the default document: workers would fail with it (why)\n"


@pytest.mark.usefixtures("closed_port")
@pytest.mark.parametrize("parameter, text", [("rules", RULES), ("claim_schema", SCHEMA)])
def test_byte_order_mark_is_no_mistake(parameter: str, text: str, tmp_path: Path, capsys):
    path = tmp_path / "document.json"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert "output_table: " in refusal(capsys, arguments(**{parameter: str(path)}))


@pytest.mark.parametrize("parameter", ["claim_schema", "rules", "claim_map"])
def test_document_is_not_read_without_end(parameter: str, capsys):
    line = refusal(capsys, arguments(**{parameter: "/dev/zero"}))
    assert line == f"claims: {parameter}: /dev/zero is larger than 1,000,000 bytes\n"


@pytest.mark.parametrize("parameter, text, said", BROKEN.values(), ids=BROKEN)
def test_broken_document_is_named_with_the_place_in_it(
    parameter: str, text: str | bytes, said: str, tmp_path: Path, capsys
):
    path = tmp_path / "document.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    line = refusal(capsys, arguments(**{parameter: str(path)}))
    assert line.startswith(f"claims: {parameter}: {path}")
    assert re.search(said, line)


def test_unreachable_bigquery(closed_port: None, capsys):
    line = refusal(capsys, arguments())
    assert re.match(rf"claims: output_table: {PROJECT}.claims.claims: BigQuery cannot be rea", line)
    assert RETRY.timeout < SOON_SECONDS


def test_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    line = refusal(capsys, arguments())
    assert re.match(rf"claims: output_table: {PROJECT}.claims.claims: .*none.json", line)


def test_a_python_without_beam_is_one_line():
    """As in a shell that is not in `.venv`."""
    ended = subprocess.run(
        [sys.executable, "-S", "-m", "pipeline.main"], capture_output=True, text=True,
        cwd=Path(__file__).parents[2], env={"PATH": os.defpath},
    )  # fmt: skip
    said = "claims: apache_beam is not installed here; run: . .venv/bin/activate\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


@pytest.mark.usefixtures("emulator")
def test_missing_dataset(capsys):
    line = refusal(capsys, arguments(output_table=f"{PROJECT}:nowhere.claims"))
    assert re.match(rf"claims: output_table: .*bq mk --dataset {PROJECT}:nowhere", line)


@pytest.mark.usefixtures("emulator")
def test_table_that_cannot_take_the_rows(bigquery_client: bigquery.Client, dataset: str, capsys):
    field = bigquery.SchemaField("stage", "INTEGER")
    bigquery_client.create_table(bigquery.Table(f"{dataset}.errors", [field]))
    tables = {"output_table": f"{dataset}.claims", "error_table": f"{dataset}.errors"}
    line = refusal(capsys, arguments(**tables))
    assert re.match(r"claims: error_table: .*the column stage is INTEGER, not STRING", line)


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize(
    "given, said",
    [
        (arguments(output_table="claims"), "output_table: 'claims' is not valid"),
        (arguments(output_table=f"{PROJECT}:nowhere.claims"), "output_table: the dataset "),
    ],
    ids=["table", "dataset"],
)
def test_as_a_program(given: list[str], said: str):
    before = processor_seconds()
    program = [sys.executable, "-m", "pipeline.main", *given]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60)
    # Its processor time: other tests of a busy machine may take the rest.
    assert processor_seconds() - before < SOON_SECONDS
    assert ended.returncode == main.EXIT_USAGE
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"claims: {said}")
    assert ended.stderr.count("\n") == 1


def processor_seconds() -> float:
    """What the programs that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

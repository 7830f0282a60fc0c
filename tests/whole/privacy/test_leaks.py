"""The search of test_canaries.py finds a leak: one line that shows a claim, anywhere, fails it."""

import functools
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.metrics import Metrics

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract
from pipeline.claims.formats import json_documents
from pipeline.claims.stages import Enrich, Parse, Validate
from pipeline.claims.validate import ClaimValidator
from pipeline.sinks.bigquery.append.delivery import Delivery
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from pipeline.sinks.bigquery.storage_write import AppendBatchesFn, AppendRowsFn
from pipeline.transforms import sources, write_errors
from pipeline.transforms.batch import Batch
from tests.support.bigquery.fault_server import FaultServer
from tests.support.privacy import job
from tests.support.privacy.canaries import ACCEPTED, REFUSED, UNPARSABLE
from tests.support.privacy.observation import observing

MESSAGES = (ACCEPTED[0], REFUSED["bad"], UNPARSABLE["invalid_json"])
PLACES = (
    (Parse, "decide"),
    (json_documents, "decode"),
    (Validate, "decide"),
    (ClaimValidator, "validate"),
    (Enrich, "decide"),
    (ClaimRows, "rows"),
    (AppendBatchesFn, "process_batch"),
    (RowEncoder, "encode"),
    (Delivery, "send"),
    (AppendRowsFn, "_refused"),
    (write_errors, "error_row"),
)
"""Functions that a message passes, from its line to its row."""


def log(*values: Any) -> None:
    logging.getLogger("pipeline.transforms.step").info("%s", values)


def log_in_detail(*values: Any) -> None:
    logging.getLogger("apache_beam").log(1, "%s", values)


def tell(*values: Any) -> None:
    print(values)


def tell_past_python(*values: Any) -> None:
    os.write(2, repr(values).encode())


def count(*values: Any) -> None:
    Metrics.counter("claims", f"seen_{values}").inc()


def keep_in_a_file(*values: Any) -> None:
    with tempfile.NamedTemporaryFile(prefix=values[-1][0]["claim_id"]):
        pass


LEAKS: dict[str, Callable[..., None]] = {
    "logs": log_in_detail,
    "stdout": tell,
    "stderr": tell_past_python,
    "metrics": count,
    "file names": keep_in_a_file,
}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with job.server(Contract.default()) as started:
        yield started


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join(MESSAGES))
    return path


@pytest.fixture
def leaks(server: FaultServer, claims: Path, capfd) -> Callable[[], dict[str, list[str]]]:
    """Runs the job, and gives what came out of it."""

    def found() -> dict[str, list[str]]:
        with observing(capfd) as observation:
            job.run(observation, claims, f"--bigquery_storage_endpoint={server.address}")
        return observation.leaks()

    return found


def add(patch: pytest.MonkeyPatch, owner: Any, name: str, leak: Callable[..., None]) -> None:
    """Put a line at the beginning of a function that is given its arguments."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def leaking(*given: Any) -> Any:
        leak(*(list(each) if isinstance(each, Batch) else each for each in given))
        return original(*given)

    patch.setattr(owner, name, leaking)


def test_nothing_is_found_where_nothing_leaks(leaks):
    assert leaks() == {}


@pytest.mark.parametrize("owner, name", PLACES, ids=[name for _, name in PLACES])
def test_log_line_anywhere(owner: Any, name: str, leaks, monkeypatch: pytest.MonkeyPatch):
    add(monkeypatch, owner, name, log)
    assert leaks().keys() >= {"logs"}


@pytest.mark.parametrize("output", LEAKS)
def test_every_output(output: str, leaks, monkeypatch: pytest.MonkeyPatch):
    add(monkeypatch, ClaimValidator, "validate", LEAKS[output])
    assert output in leaks()


def test_exception(server: FaultServer, claims: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    def fail(*values: Any) -> None:
        raise RuntimeError(repr(values))

    add(monkeypatch, write_errors, "error_row", fail)
    with observing(capfd) as observation, pytest.raises(RuntimeError):
        job.run(observation, claims, f"--bigquery_storage_endpoint={server.address}")
    assert "exceptions" in observation.leaks()


def test_parameters(leaks, claims: Path, monkeypatch: pytest.MonkeyPatch):
    def display_data(self: Any) -> dict[str, Any]:
        return {"first": json.loads(claims.read_bytes().partition(b"\n")[0])["claim_id"]}

    monkeypatch.setattr(sources.ReadFiles, "display_data", display_data)
    assert "parameters" in leaks()

"""A launch waits until appends know what it has made: as long as it takes, within bounds."""

import logging
from collections.abc import Iterator

import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.claims.tables import Table
from pipeline.launch import prepare
from pipeline.launch.options import check
from pipeline.sinks.bigquery.write_path import wait_until_known
from tests.support.bigquery.appending import COLUMNS, STREAM, TABLE
from tests.support.bigquery.fault_server import SECRET, FaultServer

DESCRIBED = Table(COLUMNS, "processing_timestamp", (), "")
OLD = COLUMNS[:-1]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


class Looks:
    """Sleeps by calling what happens meanwhile."""

    def __init__(self, *meanwhile: object) -> None:
        self.meanwhile = list(meanwhile)
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        happens = self.meanwhile.pop(0)
        assert callable(happens)
        happens()


def test_a_table_that_is_known_is_not_waited_for(server: FaultServer) -> None:
    server.create(STREAM, COLUMNS)
    assert wait_until_known(TABLE, DESCRIBED, server.address, sleep=Looks())


def test_a_new_table_and_a_new_column_are_waited_for(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    looks = Looks(
        lambda: server.create(STREAM, OLD),
        lambda: setattr(server, "look_up_error", grpc.StatusCode.UNAVAILABLE),
        lambda: setattr(server, "look_up_error", None),
        lambda: server.create(STREAM, COLUMNS),
    )
    assert wait_until_known(TABLE, DESCRIBED, server.address, sleep=looks)
    assert not looks.meanwhile
    assert "waiting up to 300 s" in caplog.text
    assert SECRET not in caplog.text


def test_the_wait_is_bounded_and_its_end_is_logged(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.create(STREAM, OLD)
    assert not wait_until_known(TABLE, DESCRIBED, server.address, patience_seconds=0)
    assert "missing column extra" in caplog.text


def test_an_endpoint_that_does_not_respond_is_not_taken_for_a_table_that_is_not_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FaultServer() as server:
        address = server.address
    assert not wait_until_known(TABLE, DESCRIBED, address, patience_seconds=0)
    assert f"http://{address} does not respond (UNAVAILABLE)" in caplog.text
    assert "visible" not in caplog.text


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNIMPLEMENTED", "UNAUTHENTICATED"])
def test_what_will_not_pass_is_not_waited_for(
    server: FaultServer, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.look_up_error = grpc.StatusCode[code]
    assert not wait_until_known(TABLE, DESCRIBED, server.address, sleep=Looks())
    assert code in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "done, method, waits",
    [
        ("created", "STORAGE_WRITE_API", True),
        ("added extra", "STORAGE_WRITE_API", True),
        ("unchanged", "STORAGE_WRITE_API", False),
        ("set retention to 3 days", "STORAGE_WRITE_API", False),
        ("created", "STREAMING_INSERTS", False),
    ],
)
def test_a_launch_waits_for_what_it_has_changed(
    server: FaultServer, done: str, method: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    server.look_up_error = grpc.StatusCode.PERMISSION_DENIED  # ends each wait at once
    given = {
        "input_files": "claims.ndjson",
        "output_table": "my-project:d.claims",
        "error_table": "my-project:d.errors",
        "write_method": method,
        "bigquery_storage_endpoint": server.address,
    }
    launch = check(PipelineOptions([f"--{name}={value}" for name, value in given.items()]))
    tables = {"my-project.d.claims": done, "my-project.d.errors": "unchanged"}
    prepare.wait_for_write_path(launch, prepare.settings(launch), tables)
    assert len(server.headers) == waits

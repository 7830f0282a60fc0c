"""The image under test."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.tables import claims_table, errors_table
from sandbox.emulators.local_server import ServerMissing
from tests.conftest import unavailable
from tests.support.bigquery.fault_server import FaultServer
from tests.whole.image import engine

_STREAM = "projects/{}/datasets/{}/tables/{}/streams/_default"


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker engine answers; without one the test is skipped, and fails in CI."""
    try:
        engine.require()
    except ServerMissing as missing:
        unavailable(missing)


@pytest.fixture(scope="session")
def image(docker_engine: None) -> str:
    """The name of the image, built from this very source."""
    try:
        return engine.build()
    except ServerMissing as missing:
        unavailable(missing)


@pytest.fixture
def new_store(dataset: str) -> Iterator[Callable[[], FaultServer]]:
    """Starts a Write API for the tables of this test; it refuses what the service would refuse."""
    columns = {"claims": claims_table(Contract.default()).columns, "errors": errors_table().columns}
    with ExitStack() as stack:

        def new() -> FaultServer:
            server = stack.enter_context(FaultServer())
            for name in columns:
                server.create(_STREAM.format(*dataset.split("."), name), columns[name])
            return server

        yield new


@pytest.fixture
def store(new_store: Callable[[], FaultServer]) -> FaultServer:
    """One of them."""
    return new_store()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        # As if skipped at one place, so that the summary says it in one line.
        report.longrepr = (str(Path(__file__).parent), None, report.longrepr[2])  # type: ignore[assignment]
    return report

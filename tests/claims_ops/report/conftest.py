"""Tables to report on, and a browser to look at the report."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from google.cloud import bigquery
from playwright.sync_api import Browser

from sandbox.emulators.local_server import ServerMissing
from tests.conftest import unavailable
from tests.support.browser import chromium
from tests.support.report_rows import Tables


@pytest.fixture
def tables(bigquery_client: bigquery.Client, dataset: str) -> Tables:
    return Tables(bigquery_client, dataset)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without it the test is skipped, and fails in CI."""
    try:
        with chromium() as started:
            yield started
    except ServerMissing as missing:
        unavailable(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        # As if skipped at one place, so that the summary says it in one line.
        report.longrepr = (str(Path(__file__).parent), None, report.longrepr[2])  # type: ignore[assignment]
    return report

"""Servers that all tests share, and a fresh corner of them for each test."""

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, TypeVar

import pytest
from google.cloud import bigquery

from pipeline.tools import emulators
from pipeline.tools.emulators import PROJECT, BigqueryServer, PubsubServer
from pipeline.tools.local_server import ServerMissing

Server = TypeVar("Server")


class Feed(NamedTuple):
    """A topic and its only subscription, by their full names."""

    topic: str
    subscription: str


@contextmanager
def _required(server: AbstractContextManager[Server]) -> Iterator[Server]:
    """The started server; the test is skipped where it is not installed, and fails so in CI."""
    try:
        started = server.__enter__()
    except ServerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    try:
        yield started
    finally:
        server.__exit__(None, None, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write the expected tables under tests/cases anew, to be looked at with git diff",
    )


@pytest.fixture(scope="session")
def pubsub_server() -> Iterator[PubsubServer]:
    """A running Pub/Sub emulator."""
    with _required(emulators.pubsub_server()) as server:
        yield server


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[BigqueryServer]:
    """A running BigQuery emulator."""
    with _required(emulators.bigquery_server()) as server:
        yield server


@pytest.fixture(scope="session")
def bigquery_client(bigquery_server: BigqueryServer) -> Iterator[bigquery.Client]:
    """A client of the BigQuery emulator."""
    with bigquery_server.client() as client:
        yield client


@pytest.fixture
def dataset(bigquery_client: bigquery.Client) -> str:
    """A new, empty dataset: `project.dataset`."""
    name = f"{PROJECT}.test_{uuid.uuid4().hex[:12]}"
    bigquery_client.create_dataset(name)
    return name


@pytest.fixture
def feed(pubsub_server: PubsubServer) -> Feed:
    """A new topic with a subscription."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    return Feed(*emulators.create_topic_and_subscription(pubsub_server, name, name))


@pytest.fixture
def emulated(
    bigquery_server: BigqueryServer, pubsub_server: PubsubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both servers in the environment of the test, as an operator would have them."""
    for name, value in (bigquery_server.environment | pubsub_server.environment).items():
        monkeypatch.setenv(name, value)

"""Servers that all tests share, and a fresh corner of them for each test."""

import importlib
import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn, TypeVar

import pytest
from apache_beam.runners.direct.direct_runner import SwitchingDirectRunner
from google.cloud import bigquery

from sandbox.emulators import emulators
from sandbox.emulators.emulators import PROJECT, BigqueryServer, PubsubServer
from sandbox.emulators.local_server import ServerMissing
from sandbox.synthetic import synthetic

Server = TypeVar("Server")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it starts in the background ignore Ctrl-C, and so would the tests' jobs.
    signal.signal(signal.SIGINT, signal.default_int_handler)

WHOLE_TESTS = Path(__file__).parent / "whole"
IMAGE_TESTS = WHOLE_TESTS / "image"
IN_CONTAINERS = os.environ.get("CLAIMS_TEST_SERVERS") == "containers"
"""Whether the servers run in Docker, not as programs of this machine."""


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
        unavailable(missing)
    try:
        yield started
    finally:
        server.__exit__(None, None, None)


def unavailable(missing: ServerMissing) -> NoReturn:
    """Skip the test; in CI it fails, where nothing may be missing."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    raise AssertionError


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write the expected tables under tests/cases anew, to be looked at with git diff",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The files that take minutes come first, so that no process is left with one at the end.
    items.sort(key=lambda item: WHOLE_TESTS not in item.path.parents)
    for item in items:
        in_docker = IN_CONTAINERS or IMAGE_TESTS in item.path.parents
        if in_docker and not item.get_closest_marker("timeout"):
            # Fixtures build images, with a time limit of their own.
            item.add_marker(pytest.mark.timeout(120, func_only=True))


def _servers() -> ModuleType:
    if IN_CONTAINERS:
        return importlib.import_module("tests.whole.image.servers")
    return emulators


@pytest.fixture(scope="session", autouse=True)
def no_download() -> Iterator[None]:
    """No test runs on Beam's default runner, which downloads Prism and keeps it for the process."""

    def refuse(*_: object) -> NoReturn:
        pytest.fail('name the runner: beam.Pipeline("FnApiRunner")')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SwitchingDirectRunner, "run_pipeline", refuse)
        yield


@pytest.fixture(scope="session")
def pubsub_server() -> Iterator[PubsubServer]:
    """A running Pub/Sub emulator."""
    with _required(_servers().pubsub_server()) as server:
        yield server


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[BigqueryServer]:
    """A running BigQuery emulator."""
    with _required(_servers().bigquery_server()) as server:
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


@pytest.fixture(scope="session")
def claims() -> list[bytes]:
    """2,000 good claims: the reference claims where they lie beside the repository, else ours."""
    reference = Path(__file__).parents[2] / "shared/data/reference_claims.ndjson"
    if reference.exists():
        return reference.read_bytes().splitlines()
    made: dict[str, bytes] = {}  # a claim that is sent twice counts once
    for claim in synthetic.claims(seed=1, now=datetime.now(UTC), variants=0):
        made[claim["claim_id"]] = json.dumps(claim).encode()
        if len(made) == 2000:
            break
    return list(made.values())


@pytest.fixture
def emulated(
    bigquery_server: BigqueryServer, pubsub_server: PubsubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both servers in the environment of the test, as an operator would have them."""
    for name, value in (bigquery_server.environment | pubsub_server.environment).items():
        monkeypatch.setenv(name, value)

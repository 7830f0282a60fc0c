"""gcloud, and what it talks to here, new for each test but for the storage server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.tools.local_server import ServerMissing
from tests.operator.dataflow import Dataflow
from tests.operator.gcloud import Gcloud
from tests.operator.google_apis import GoogleApis, google_apis
from tests.operator.storage import Storage, storage_server


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    """Cloud Storage; tests take buckets of their own."""
    with storage_server() as server:
        yield server


@pytest.fixture
def dataflow(storage: Storage) -> Dataflow:
    """Dataflow, without jobs."""
    return Dataflow(storage)


@pytest.fixture
def apis(dataflow: Dataflow) -> Iterator[GoogleApis]:
    """The stand-ins; the test fails when one was asked what the real service would not take."""
    with google_apis(dataflow) as started:
        yield started
    assert started.mistakes == []


@pytest.fixture
def gcloud(tmp_path: Path, storage: Storage, apis: GoogleApis) -> Gcloud:
    """The real gcloud, which knows these stand-ins only; skipped where it is missing, not in CI."""
    home = tmp_path / "home"
    home.mkdir()
    try:
        return Gcloud(home, storage.environment | apis.environment)
    except ServerMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))

"""gcloud, and what it talks to here, new for each test but for the storage server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.google.artifact_registry import ArtifactRegistry
from tests.support.google.cloud_build import CloudBuild
from tests.support.google.dataflow import Dataflow
from tests.support.google.docker_shim import DockerShim
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import GoogleApis, google_apis
from tests.support.google.project import Project
from tests.support.google.storage import Storage, storage_server


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
def docker(tmp_path: Path) -> DockerShim:
    """What stands in for docker; put `install()` into the environment."""
    return DockerShim(tmp_path / "docker")


@pytest.fixture
def cloud_build() -> CloudBuild:
    """Cloud Build, without builds."""
    return CloudBuild()


@pytest.fixture
def apis(dataflow: Dataflow, docker: DockerShim, cloud_build: CloudBuild) -> Iterator[GoogleApis]:
    """The stand-ins; the test fails when one was asked what the real service would not take."""
    services = Project(PROJECT).service_usage
    registry = ArtifactRegistry(docker.pushed)
    with google_apis(dataflow, registry, cloud_build, services) as started:
        yield started
    assert started.mistakes == []


@pytest.fixture
def gcloud(tmp_path: Path, storage: Storage, apis: GoogleApis) -> Gcloud:
    """The real gcloud, which knows these stand-ins only."""
    home = tmp_path / "home"
    home.mkdir()
    return Gcloud(home, storage.environment | apis.environment)

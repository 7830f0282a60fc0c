"""The local Pub/Sub emulator of a machine with Docker and without Java."""

import shutil
from pathlib import Path

import pytest

from sandbox.emulators import emulators, pubsub_emulator
from tests.whole.image import engine, servers


@pytest.fixture(scope="module")
def pubsub_image(docker_engine: None) -> str:
    return servers.pubsub_image()


def test_it_runs_in_the_image_of_the_cloud_sdk(
    pubsub_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "docker").symlink_to(str(shutil.which("docker")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(pubsub_emulator, "_IMAGE", pubsub_image)
    with emulators.pubsub_server() as server:
        emulators.create_topic_and_subscription(server, "claims", "claims-sub")
        assert running()
    assert not running()


def running() -> list[str]:
    """Containers of the emulator."""
    names = engine.call("docker", "ps", "--all", "--format={{.Names}}").split()
    return [name for name in names if name.startswith("claims-pubsub-")]

"""The Docker engine and what the tests build with it."""

import os
import subprocess
from pathlib import Path

from sandbox.emulators.local_server import ServerMissing

HERE = Path(__file__).parent
IMAGE = "claims-pipeline:test"
UNAVAILABLE = 69
"""Exit code of our scripts where something cannot be had here; their last line says why."""
BUILD_SECONDS = 1800  # the first time on a machine; seconds later

REMEDY = (
    "no Docker engine answers: install one (sudo apt-get install docker.io, or Docker Desktop), or"
    " as root on Debian: .ci/with-docker make test-image"
)


def require() -> None:
    """Raise ServerMissing, with the remedy, unless an engine answers."""
    try:
        asked = subprocess.run(["docker", "version"], capture_output=True, timeout=10)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        raise ServerMissing(REMEDY) from None
    if asked.returncode:
        raise ServerMissing(REMEDY)


def call(*command: str | Path, stdin: str | None = None) -> str:
    """The output of a command that must succeed; it is shown when it does not.

    ServerMissing, with the reason, where it needs what is not on this machine.
    """
    done = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        env=os.environ | {"DOCKER_BUILDKIT": "1"},
    )
    if done.returncode == UNAVAILABLE:
        raise ServerMissing(done.stderr.splitlines()[-1])
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def build(stage: str = "") -> str:
    """The name of the image, or of a stage of it, built from this very source."""
    name = f"{IMAGE}-{stage}" if stage else IMAGE
    call(HERE / "build.sh", name, stage)
    return name


def docker_build(name: str, context: Path, *options: str | Path, stdin: str | None = None) -> None:
    """Build an image; the network is that of this machine, for the packages."""
    call(*("docker", "build", "--network=host", "--tag", name, *options, context), stdin=stdin)


def derive(image: str, name: str, *instructions: str) -> str:
    """The name of an image made from another one by instructions of a Dockerfile."""
    dockerfile = "\n".join([f"FROM {image}", *instructions])
    docker_build(name, Path("-"), stdin=dockerfile)
    return name

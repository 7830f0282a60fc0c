"""How to start Google's Pub/Sub emulator here: the Cloud SDK's jar, or its Docker image."""

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sandbox.emulators.local_server import ServerMissing

READY = r"Server started, listening on \d+"

_IMAGE = "gcr.io/google.com/cloudsdktool/google-cloud-cli:emulators"
_PORT_IN_IMAGE = 8085
_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_USUAL_ROOTS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "~/google-cloud-sdk",
)


class PubsubMissing(ServerMissing):
    """Neither Java with the emulator's jar, nor Docker."""


class Launch(NamedTuple):
    """How to start an emulator, and what to expect of it."""

    command: list[str]
    address: str
    """`host:port` where it will listen: a port of 127.0.0.1 that is free now."""
    start_seconds: float
    """How long it may take until its output matches `READY`."""


def launch() -> Launch:
    """The best way on this machine; PubsubMissing, one line with the remedy, if there is none."""
    port = _free_port()
    address = f"127.0.0.1:{port}"
    jar, java = _jar(), _java()
    if jar and java:
        # The jar itself: `gcloud beta emulators pubsub start` leaves it running when it is stopped.
        return Launch([java, "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"], address, 60)
    if docker := _docker():
        return Launch(_docker_command(docker, port), address, 600)  # it may have to be pulled
    raise PubsubMissing(_remedy(jar, java))


def _jar() -> Path | None:
    for root in _sdk_roots():
        if jars := sorted(root.glob(_JARS)):
            return jars[-1]
    return None


def _sdk_roots() -> Iterator[Path]:
    if root := os.environ.get("CLOUDSDK_ROOT_DIR"):
        yield Path(root)
    if gcloud := shutil.which("gcloud"):
        yield Path(gcloud).resolve().parent.parent
    yield from (Path(root).expanduser() for root in _USUAL_ROOTS)


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return (shutil.which("java", path=f"{home}/bin") if home else None) or shutil.which("java")


def _docker() -> str | None:
    """The docker client, if an engine answers it."""
    docker = shutil.which("docker")
    if not docker:
        return None
    try:
        answer = subprocess.run([docker, "version"], capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return None
    return docker if answer.returncode == 0 else None


def _docker_command(docker: str, port: int) -> list[str]:
    # --init passes the SIGTERM on: gcloud as process 1 of a container ignores it.
    return [
        *(docker, "run", "--rm", "--init", "--name", f"claims-pubsub-{uuid.uuid4().hex[:8]}"),
        *("--publish", f"127.0.0.1:{port}:{_PORT_IN_IMAGE}", _IMAGE),
        *(
            "gcloud",
            "beta",
            "emulators",
            "pubsub",
            "start",
            f"--host-port=0.0.0.0:{_PORT_IN_IMAGE}",
        ),
    ]


def _remedy(jar: Path | None, java: str | None) -> str:
    missing = []
    if not java:
        missing.append("Java (sudo apt-get install default-jre-headless, or brew install openjdk)")
    if not jar:
        missing.append(
            "the Cloud SDK's emulator (gcloud components install pubsub-emulator,"
            " or sudo apt-get install google-cloud-cli-pubsub-emulator)"
        )
    return (
        "the Pub/Sub emulator cannot start, and Docker is not running;"
        f" install {' and '.join(missing)}"
    )


def _free_port() -> int:
    """A port that is free now. The emulator cannot choose one itself: it does not tell which."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

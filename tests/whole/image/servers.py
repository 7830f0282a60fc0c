"""BigQuery, Pub/Sub and Cloud Storage in containers, each on an image made here.

bqemulator's published image lacks our mends. The Cloud SDK's is taken where it can be pulled, else
the emulator of the Cloud SDK on this machine runs in its place.
"""

import contextlib
import functools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bqemulator.testing import BigQueryEmulatorContainer
from testcontainers.community.google import PubSubContainer
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from pipeline.clients import write_credentials
from sandbox.emulators import pubsub_emulator
from sandbox.emulators.emulators import BigqueryServer, PubsubServer
from sandbox.emulators.local_server import ServerMissing
from tests.whole.image import engine
from tests.whole.image.containers import NOBODY

testcontainers_config.connection_mode_override = ConnectionMode.docker_host

EMULATORS = engine.HERE / "emulators"
ROOT = engine.HERE.parents[2]
SERVERS = "claims-pipeline:test-servers"


@functools.cache
def server_image() -> str:
    """The name of an image with BigQuery and Cloud Storage in it."""
    engine.require()
    dockerfile, packages = EMULATORS / "Dockerfile", f"PACKAGES={engine.build('packages')}"
    engine.docker_build(SERVERS, ROOT, "--file", dockerfile, "--build-arg", packages)
    return SERVERS


@functools.cache
def pubsub_image() -> str:
    """The name of the Cloud SDK's image, or of its stand-in."""
    engine.require()
    name = pubsub_emulator._IMAGE
    for found in (["image", "inspect", name], ["pull", name]):
        if subprocess.run(["docker", *found], capture_output=True).returncode == 0:
            return name
    jar = pubsub_emulator._jar()
    if jar is None:
        raise ServerMissing(f"{name} cannot be pulled, and there is no Cloud SDK here")
    base = engine.call(engine.HERE / "base.sh", "PYTHON_IMAGE").strip()
    dockerfile, base = EMULATORS / "pubsub.Dockerfile", f"BASE={base}"
    engine.docker_build(f"standin/{name}", jar.parent, "-f", dockerfile, "--build-arg", base)
    return f"standin/{name}"


@contextlib.contextmanager
def bigquery_container() -> Iterator[BigQueryEmulatorContainer]:
    """BigQuery, with its ports published on this machine."""
    with BigQueryEmulatorContainer(server_image()).with_kwargs(user=NOBODY) as container:
        yield container


@contextlib.contextmanager
def bigquery_server() -> Iterator[BigqueryServer]:
    """BigQuery in a container, as programs on this machine see it."""
    with tempfile.TemporaryDirectory() as directory, bigquery_container() as container:
        credentials = write_credentials(Path(directory))
        yield BigqueryServer(container.get_rest_url(), container.get_grpc_endpoint(), credentials)


@contextlib.contextmanager
def pubsub_server() -> Iterator[PubsubServer]:
    """Pub/Sub in a container, as programs on this machine see it."""
    ready = LogMessageWaitStrategy(pubsub_emulator.READY).with_startup_timeout(60)
    with PubSubContainer(pubsub_image()).waiting_for(ready) as container:
        yield PubsubServer(container.get_pubsub_emulator_host())

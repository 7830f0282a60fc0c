"""Pub/Sub and BigQuery on this machine, for the demo and the tests: no account, no network.

Each server listens on a free port of 127.0.0.1 and keeps nothing; it ends with its `with` block,
and with this process, however that dies. What is not installed raises ServerMissing, with the
remedy.
"""

import contextlib
import http.client
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import loopback
from sandbox.emulators import pubsub_emulator
from sandbox.emulators.local_server import LocalServer, ServerError, ServerMissing

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

PROJECT = "local-project"
"""A project to use here; the servers take any."""

_HOST = "127.0.0.1"
_START_SECONDS = 60  # takes about 2; the first time after an installation Python compiles it all


@dataclass(frozen=True)
class PubsubServer:
    """A running Pub/Sub emulator."""

    address: str
    """`host:port`, plaintext gRPC and REST."""

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        return {"PUBSUB_EMULATOR_HOST": self.address}


@dataclass(frozen=True)
class BigqueryServer:
    """A running BigQuery emulator."""

    url: str
    """REST: `http://host:port`."""
    storage_address: str
    """Storage Read and Write API: `host:port`, plaintext gRPC."""
    credentials: Path
    """A credentials file for clients that insist on one; no server ever checks it."""

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use it."""
        return {
            "BIGQUERY_EMULATOR_HOST": self.url,
            "BIGQUERY_STORAGE_EMULATOR_HOST": self.storage_address,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.credentials),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }

    def client(self, project: str = PROJECT) -> "Client":
        """A client of this server, for the default project `project`; close it after use."""
        # Imported here: it takes 2 s, in which the servers can start.
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.bigquery import Client

        return Client(
            project=project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.url},
        )


@dataclass(frozen=True)
class LocalServers:
    """All that a launch of the pipeline needs, running on this machine."""

    pubsub: PubsubServer
    bigquery: BigqueryServer

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to use them."""
        return self.pubsub.environment | self.bigquery.environment


@contextlib.contextmanager
def pubsub_server() -> Iterator[PubsubServer]:
    """A Pub/Sub emulator, listening."""
    with _directory() as directory, _Pubsub(directory) as pubsub:
        yield pubsub.listening()


@contextlib.contextmanager
def bigquery_server() -> Iterator[BigqueryServer]:
    """A BigQuery emulator, listening."""
    with _directory() as directory, _Bigquery(directory) as bigquery:
        yield bigquery.listening()


@contextlib.contextmanager
def local_servers() -> Iterator[LocalServers]:
    """Both, listening; they start side by side."""
    with _directory() as directory, _Pubsub(directory) as pubsub, _Bigquery(directory) as bigquery:
        yield LocalServers(pubsub.listening(), bigquery.listening())


def create_topic_and_subscription(
    server: PubsubServer, topic: str, subscription: str, project: str = PROJECT
) -> tuple[str, str]:
    """Create both and return their full names, `projects/P/topics/T` and likewise `subscriptions`.

    ServerError when the server refuses, as it does for names that exist.
    """
    topic_name = f"projects/{project}/topics/{topic}"
    subscription_name = f"projects/{project}/subscriptions/{subscription}"
    _put(server.address, topic_name, {})
    _put(server.address, subscription_name, {"topic": topic_name, "ackDeadlineSeconds": 60})
    return topic_name, subscription_name


def create_source(server: PubsubServer, name: str, project: str = PROJECT) -> tuple[str, str]:
    """Topic, subscription and dead letters as `claims deploy` makes them; full names of the first.

    ServerError when the server refuses, as it does for names that exist.
    """
    topic, dead = (f"projects/{project}/topics/{each}" for each in (name, f"{name}-dead-letter"))
    for each in (topic, dead):
        _put(server.address, each, {})
    subscription, keeper = (each.replace("/topics/", "/subscriptions/") for each in (topic, dead))
    kept = {"ackDeadlineSeconds": 60, "expirationPolicy": {}}
    _put(server.address, keeper, {"topic": dead, **kept})
    policy = {"deadLetterTopic": dead, "maxDeliveryAttempts": 100}
    _put(server.address, subscription, {"topic": topic, "deadLetterPolicy": policy, **kept})
    return topic, subscription


class _Pubsub(LocalServer):
    def __init__(self, directory: Path) -> None:
        self.launch = pubsub_emulator.launch()
        super().__init__("Pub/Sub emulator", self.launch.command, directory / "pubsub.log")

    def listening(self) -> PubsubServer:
        self.wait_for(pubsub_emulator.READY, self.launch.start_seconds)
        return PubsubServer(self.launch.address)


class _Bigquery(LocalServer):
    def __init__(self, directory: Path) -> None:
        if not find_spec("bqemulator"):
            raise ServerMissing(
                "the BigQuery emulator, bqemulator, is not installed; run make setup"
            )
        module = (sys.executable, "-m", "sandbox.emulators.bigquery_emulator")
        rest = ("--rest-host", _HOST, "--rest-port", "0")
        grpc = ("--grpc-host", _HOST, "--grpc-port", "0")
        log = ("--log-format", "json", "--log-level", "info")
        command = (*module, "start", "--ephemeral", *rest, *grpc, *log)
        environment = _environment(directory)
        super().__init__("BigQuery emulator", command, directory / "bigquery.log", environment)
        self.directory = directory

    def listening(self) -> BigqueryServer:
        from pipeline.clients import write_credentials  # here, for the reason given in `client`

        credentials = write_credentials(self.directory)
        return BigqueryServer(f"http://{self._address('rest')}", self._address("grpc"), credentials)

    def _address(self, api: str) -> str:
        line = self.wait_for(rf'"port": (\d+), "event": "{api}.listen"', _START_SECONDS)
        return f"{_HOST}:{line[1]}"


def _environment(directory: Path) -> dict[str, str]:
    """Ours, with a home in `directory` where there is none to write to: DuckDB unpacks there."""
    home = os.environ.get("HOME", "")
    has_home = bool(home) and os.access(home, os.W_OK)
    return {**os.environ} if has_home else {**os.environ, "HOME": str(directory)}


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """For logs and credentials."""
    loopback.bypass_proxies()
    with tempfile.TemporaryDirectory(prefix="claims-servers-") as directory:
        yield Path(directory)


def _put(address: str, name: str, body: dict[str, object]) -> None:
    """Create a resource through the emulator's REST API."""
    with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        connection.request(
            "PUT", f"/v1/{name}", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            reason = json.loads(answer.read())["error"]["message"]
            raise ServerError(f"the Pub/Sub emulator refused {name}: {reason}")

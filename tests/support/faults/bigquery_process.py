"""A BigQuery emulator that can be killed, stalled and short of disk, and keeps its data."""

import os
import resource
import signal
import sys
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

from sandbox.emulators.emulators import PROJECT
from sandbox.emulators.local_server import LocalServer

_START_SECONDS = 60
_NO_LIMIT = resource.RLIM_INFINITY


class BigqueryProcess:
    """Start it with `start`, and again after `kill` or `stop`; use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._starts = 0
        self._server: LocalServer | None = None

    def __enter__(self) -> "BigqueryProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._starts += 1
        ports = [f"--{api}-{what}" for api in ("rest", "grpc") for what in ("host", "port")]
        options = zip(ports, ("127.0.0.1", "0") * 2, strict=True)
        command = [
            # -B: bytecode that a full disk cuts off would fail every later process.
            *(sys.executable, "-B", "-m", "sandbox.emulators.bigquery_emulator", "start"),
            *("--persistent", "--data-dir", str(self._directory / "data")),
            *("--log-format", "json", "--log-level", "info"),
            *(word for option in options for word in option),
        ]
        log = self._directory / f"bigquery-{self._starts}.log"
        self._server = LocalServer("BigQuery emulator", command, log)
        self.url = f"http://{self._address('rest')}"
        self.storage_address = self._address("grpc")

    def client(self) -> Client:
        """A client of what is running now."""
        return Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.url},
        )

    def kill(self) -> None:
        """SIGKILL: what it had not written is gone."""
        os.kill(self._pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        if self._server:
            self._server.stop()

    def stall(self) -> None:
        """It stands still, as on a disk that does not answer."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        os.kill(self._pid, signal.SIGCONT)

    def fill_disk(self) -> None:
        """No file may grow beyond what the largest one has now: writes fail."""
        sizes = [path.stat().st_size for path in (self._directory / "data").rglob("*.duckdb*")]
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (min(sizes, default=0), _NO_LIMIT))

    def free_disk(self) -> None:
        """There is room again."""
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (_NO_LIMIT, _NO_LIMIT))

    @property
    def _pid(self) -> int:
        assert self._server
        return self._server.pid()

    def _address(self, api: str) -> str:
        assert self._server
        line = self._server.wait_for(rf'"port": (\d+), "event": "{api}.listen"', _START_SECONDS)
        return f"127.0.0.1:{line[1]}"

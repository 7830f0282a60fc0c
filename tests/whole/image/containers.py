"""Containers as the tests run them: without rights, and gone afterwards."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

NOBODY = "65534:65534"
PYTHON, LAUNCHER = "python", "/opt/google/dataflow/python_template_launcher"

testcontainers_config.ryuk_disabled = True  # another image to pull; each test removes its own


class Ended(NamedTuple):
    """What a container left behind."""

    code: int
    out: str
    err: str


def confined(
    image: str,
    *command: str,
    entrypoint: str | None = None,
    network: str = "none",
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[Path, str] | None = None,
) -> DockerContainer:
    """A container of nobody's, with a read-only file system, /tmp excepted, and no capability.

    `entrypoint` replaces that of the image; `network` is `none`, `host` or `container:ID`; `mounts`
    are read-only places in the container by the files and directories of this machine.
    """
    container = DockerContainer(image, command=list(command), env=dict(environment or {}))
    for source, target in (mounts or {}).items():
        container.with_volume_mapping(str(source), target, "ro")
    return container.with_tmpfs_mount("/tmp").with_kwargs(
        user=NOBODY,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode=network,
        entrypoint=[entrypoint] if entrypoint else None,
    )


def ended(container: DockerContainer, seconds: int = 60) -> Ended:
    """Run the container to its end, and remove it."""
    with container:
        program = container.get_wrapped_container()
        code = program.wait(timeout=seconds)["StatusCode"]
        out, err = (
            program.logs(stdout=which == "out", stderr=which == "err").decode()
            for which in ("out", "err")
        )
        return Ended(code, out, err)

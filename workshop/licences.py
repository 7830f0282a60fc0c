"""The licences of all packages that workers need, as docs/reference/licences.md.

`make licences` writes it. pip-licenses reads them from the installed packages, and ends it with an
error where one is not in the list of pyproject.toml.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/licences.md"
WORKER = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.9",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""The platform of the worker image, which decides on some of the packages."""
_HEAD = """# Licences

What workers and the `claims` command need, from requirements.txt, for the platform of the worker
image. Written by `make licences`; a test compares. The list of licences that are allowed is in
[pyproject.toml](../../pyproject.toml).

| package | version | licence |
|---|---|---|
"""


def locked() -> Iterator[tuple[str, str]]:
    """Name and version of each package of the worker image."""
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and line[0].isalnum():
            requirement = Requirement(line.removesuffix("\\"))
            if requirement.marker is None or requirement.marker.evaluate(WORKER):
                [pin] = requirement.specifier
                yield canonicalize_name(requirement.name), pin.version


def licences(*arguments: str) -> dict[str, tuple[str, str]]:
    """Version and licence of each package of the worker image that is installed here.

    Raises:
        subprocess.CalledProcessError: one is not allowed; stderr names package and licence.
    """
    program = [str(Path(sys.executable).with_name("pip-licenses")), "--python", sys.executable]
    names = [name for name, _ in locked()]
    listed = subprocess.run(
        [*program, *arguments, "--packages", *names],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return {
        canonicalize_name(each["Name"]): (each["Version"], each["License"])
        for each in json.loads(listed.stdout)
    }


def page() -> str:
    """The text of docs/reference/licences.md."""
    found = sorted(licences().items())
    return _HEAD + "".join(f"| {name} | {' | '.join(told)} |\n" for name, told in found)


def main() -> int:
    """Write the page."""
    try:
        PAGE.write_text(page())
    except subprocess.CalledProcessError as error:
        print(error.stderr.strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

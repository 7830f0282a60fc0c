"""A program named docker that builds nothing: it writes down how it was called.

An image can be pushed nowhere from a test. What Docker makes of our Dockerfile is tested with a
real engine, in tests/whole/image.
"""

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DockerShim:
    """The program, in a directory of its own."""

    directory: Path

    def install(self) -> dict[str, str]:
        """Write the program, and return the environment in which it is found."""
        self.directory.mkdir()
        program = self.directory / "docker"
        command = shlex.join([sys.executable, __file__, str(self.directory)])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
        return {"PATH": f"{self.directory}{os.pathsep}{os.environ['PATH']}"}

    def call(self, arguments: Sequence[str]) -> None:
        """What the program does."""
        with self._log.open("a") as log:
            print(json.dumps(arguments), file=log)
        if arguments[0] == "pull" and arguments[-1] not in self.pushed():
            sys.exit(f"manifest for {arguments[-1]} not found")
        if arguments[0] == "inspect":
            image = arguments[-1]
            print(f"{image.rpartition(':')[0]}@{self.pushed()[image]}")

    @property
    def _log(self) -> Path:
        return self.directory / "calls"

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def pushed(self) -> dict[str, str]:
        """The digest of each image that was pushed, by name and tag: another one with each push."""
        names = [call[1] for call in self.calls if call[0] == "push"]
        return {
            name: "sha256:" + hashlib.sha256(f"{name} {number}".encode()).hexdigest()
            for number, name in enumerate(names)
        }


if __name__ == "__main__":
    DockerShim(Path(sys.argv[1])).call(sys.argv[2:])

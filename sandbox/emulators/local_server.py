"""A server program on this machine: starts it, waits until it is ready, and always stops it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_LIFELINE = Path(__file__).with_name("lifeline.py")
_STOP_SECONDS = 10  # the tether kills after 5
_POLL_SECONDS = 0.02


class ServerError(RuntimeError):
    """A local server cannot be had, or refused something. Says what helps."""


class ServerMissing(ServerError):
    """It is not installed: one line that says how to install it."""


class LocalServer:
    """A running program with its log file; ends with the `with` block and with this process.

    It runs in a session of its own: Ctrl-C in the terminal does not reach it before our own stop.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command`; `environment` replaces ours. Its output goes to `log`.

        Its temporary files go into the folder of the log, so that they are deleted with it.
        """
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._tether = subprocess.Popen(
                # -IS: neither the environment nor site-packages slows or changes the tether
                [sys.executable, "-IS", str(_LIFELINE), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**(environment or os.environ), "TMPDIR": str(log.parent)},
            )

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """First match of `pattern` in the log, which the server writes once it listens.

        ServerError, with the end of the log, when it ends before or takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            ended = self._tether.poll() is not None  # asked first: all it wrote is in the log then
            if match := re.search(pattern, self._output()):
                return match
            if ended or time.monotonic() > deadline:
                how = "exited during startup" if ended else f"did not start within {seconds:g} s"
                raise ServerError(f"the {self.name} {how}; last lines of its log:\n{self._tail()}")
            time.sleep(_POLL_SECONDS)

    def pid(self) -> int:
        """The process of the program itself, below its tether. Linux only: asks /proc."""
        children = Path(f"/proc/{self._tether.pid}/task/{self._tether.pid}/children")
        while not (found := children.read_text().split()):
            time.sleep(_POLL_SECONDS)  # the tether is starting; /proc is gone once it has ended
        return int(found[0])

    def stop(self) -> None:
        """End the server and wait until it is gone. Harmless when repeated."""
        if self._tether.stdin:
            self._tether.stdin.close()
        try:
            self._tether.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._tether.kill()
            self._tether.wait()

    def _output(self) -> str:
        return self.log.read_text(errors="replace")

    def _tail(self, lines: int = 15) -> str:
        return "\n".join("  " + line[:300] for line in self._output().splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

"""The real gcloud, run with a limit of time; what it says when it fails, in one line."""

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from claims_ops.shared.terminal import without_secrets

Result = TypeVar("Result")
Command = tuple[str, ...]
"""Arguments of gcloud, without itself."""

TIMEOUT_SECONDS = 300
# What was created or enabled a moment ago is not known everywhere yet.
PATIENCE_SECONDS = (2, 4, 8, 16, 30, 30)

_MISSING = re.compile(r"NOT_FOUND|not found: 404|does not exist|was not found", re.IGNORECASE)
_UNSETTLED = re.compile(
    r"SERVICE_DISABLED|has not been used in project|(?:[Ss]ervice account|User) \S+ does not exist"
)


_NAME = re.compile(r"(?<!\S)\S*(?:\w[-@/]|//|--)\w\S*")
"""An account, a path, a flag with its value, or a name of several words."""


class StepFailed(Exception):
    """A step failed: why, in one line."""

    @property
    def words(self) -> str:
        """The line without names, which may hold any word: `acme-billing`, `gs://not_found`."""
        return _NAME.sub("NAME", str(self))

    @property
    def missing(self) -> bool:
        """Whether something is not there."""
        return bool(_MISSING.search(self.words))

    @property
    def unsettled(self) -> bool:
        """Whether it may work in a moment."""
        return bool(_UNSETTLED.search(self.words))


def patiently(change: Callable[[], Result], patience: Iterable[float] = PATIENCE_SECONDS) -> Result:
    """Retry a step that depends on a resource created moments ago, until Google Cloud knows it."""
    for seconds in patience:
        try:
            return change()
        except StepFailed as error:
            if not error.unsettled:
                raise
        time.sleep(seconds)
    return change()


class Gcloud:
    """Runs commands of gcloud for one project."""

    def __init__(
        self,
        project: str,
        *,
        timeout_seconds: float | None = None,
        patience: tuple[float, ...] = PATIENCE_SECONDS,
    ) -> None:
        """A command has `timeout_seconds`, by default `TIMEOUT_SECONDS`."""
        self._project = project
        self._timeout = timeout_seconds
        self._patience = patience

    def shown(self, command: Command) -> str:
        """The command as one would type it."""
        return shlex.join(("gcloud", *command, f"--project={self._project}"))

    def run(self, command: Command) -> str:
        """Run a command and return its output.

        Raises:
            StepFailed: it failed, took too long, or there is no gcloud.
        """
        return _output((*command, f"--project={self._project}", "--quiet"), self._timeout)

    def change(self, command: Command) -> str:
        """The same, with patience for what was created or enabled a moment ago."""
        return patiently(lambda: self.run(command), self._patience)

    def read(self, command: Command) -> Any:
        """What a command tells, as data; None where it tells that there is no such thing."""
        return patiently(lambda: self._told(command), self._patience)

    def _told(self, command: Command) -> Any:
        try:
            return json.loads(self.run((*command, "--format=json")) or "null")
        except StepFailed as error:
            if error.missing:
                return None
            raise


def configured_project() -> str:
    """The project of gcloud's own configuration, or nothing. Makes no call."""
    return _output(("config", "get-value", "project")).strip()


def access_token(timeout_seconds: float | None = None) -> str:
    """A token of whoever is logged in to gcloud.

    Raises:
        StepFailed: gcloud prints none.
    """
    command = ("auth", "print-access-token")
    # gcloud may print more than the token, such as a notice of a new version.
    tokens = re.findall(r"(?m)^[\w.~+/=-]{10,}[ \t\r]*$", _output(command, timeout_seconds))
    if not tokens:
        raise _failed(command, "no token was printed")
    return str(tokens[0]).strip()


def _output(command: Command, timeout_seconds: float | None = None) -> str:
    seconds = TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds
    program = shutil.which("gcloud")  # on Windows gcloud.cmd, which has to be named so
    if program is None:
        raise _failed(command, "gcloud is not installed; get it from cloud.google.com/sdk")
    try:
        ended = subprocess.run(
            [program, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise _failed(command, f"did not finish within {seconds:g} s") from None
    if ended.returncode:
        raise _failed(command, _reason(ended.stderr))
    return ended.stdout


def _failed(command: Command, reason: str) -> StepFailed:
    return StepFailed(f"`{shlex.join(('gcloud', *command))}`: {reason}")


def _reason(said: str) -> str:
    """The error among what gcloud says, without its hints."""
    start = said.find("ERROR:")
    text = said[start:].removeprefix("ERROR:") if start >= 0 else said
    return " ".join(without_secrets(text).split())[:500] or "no error message"

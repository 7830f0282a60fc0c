"""What a check is, and what it may find."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from claims_ops.deployment.steps import Look

Answer = TypeVar("Answer")


class Status(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The service did not answer, or access was denied. Never a pass."""


class Verdict(NamedTuple):
    """What a check found."""

    status: Status
    message: str
    run: str | None = None
    """The command that fixes a failure; of an unknown, the one that tells more."""


class Unknown(Exception):
    """A check has no answer: why, and the command that may give one."""

    def __init__(self, message: str, run: str | None = None) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a setup."""

    name: str
    """What `--check` takes; several checks may share one."""
    of: str
    """What it looks at."""
    ask: Callable[[], Verdict]
    """Raises `Unknown`, or any exception of a client, if there is no answer."""
    by_hand: str
    """The command that would tell."""


def passed(message: str) -> Verdict:
    """All is well."""
    return Verdict(Status.PASS, message)


def failed(message: str, run: str) -> Verdict:
    """It is not, and `run` fixes it."""
    return Verdict(Status.FAIL, message, run)


def of_look(look: Look) -> Verdict:
    """What a step of a deployment sees."""
    return failed(look.message, look.fix) if look.fix else passed(look.message)


class Once(Generic[Answer]):
    """An answer that several checks need; the first one fetches it."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._answer: Future[Answer] = Future()

    def __call__(self) -> Answer:
        """The answer; raises again what fetching it raised."""
        with self._lock:
            if not self._answer.done():
                try:
                    self._answer.set_result(self._ask())
                except Exception as error:
                    self._answer.set_exception(error)
        return self._answer.result()

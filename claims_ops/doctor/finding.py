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
    """It could not be asked, or may not be: never a pass."""


class Verdict(NamedTuple):
    """What a check found."""

    status: Status
    told: str
    run: str | None = None
    """The command that mends a failure; of an unknown, the one that tells more."""


class Unknown(Exception):
    """A check cannot be answered: why, and what to run."""

    def __init__(self, told: str, run: str | None = None) -> None:
        super().__init__(told)
        self.run = run


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a set-up."""

    name: str
    """What `--check` takes; several checks may share one."""
    of: str
    """What it looks at."""
    ask: Callable[[], Verdict]
    """Raises `Unknown`, or whatever a client raises, where there is no answer."""
    by_hand: str
    """The command that would tell."""


def passed(told: str) -> Verdict:
    """All is well."""
    return Verdict(Status.PASS, told)


def failed(told: str, run: str) -> Verdict:
    """It is not, and `run` mends it."""
    return Verdict(Status.FAIL, told, run)


def of_look(look: Look) -> Verdict:
    """What a step of a deployment sees."""
    return failed(look.told, look.mend) if look.mend else passed(look.told)


class Once(Generic[Answer]):
    """A question that several checks have, asked by the first of them."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._answer: Future[Answer] = Future()

    def __call__(self) -> Answer:
        """The answer, or what was raised instead."""
        with self._lock:
            if not self._answer.done():
                try:
                    self._answer.set_result(self._ask())
                except Exception as error:
                    self._answer.set_exception(error)
        return self._answer.result()

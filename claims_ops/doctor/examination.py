"""Asks all checks at once, and waits no longer than it may."""

import re
import time
from collections.abc import Iterator, Sequence
from queue import Empty, Queue
from threading import Thread
from typing import NamedTuple

from claims_ops.doctor.finding import Check, Status, Unknown, Verdict
from claims_ops.shared.terminal import without_secrets


class Finding(NamedTuple):
    """A check and its outcome."""

    check: Check
    verdict: Verdict

    @property
    def failed(self) -> bool:
        """Whether something has to be fixed."""
        return self.verdict.status is Status.FAIL


_COMMON = re.compile(
    r"gcloud is not installed|do not currently have an active account"
    r"|not logged in|login has expired"
)
"""Causes that keep many checks from an answer."""


def common_cause(finding: Finding) -> str | None:
    """The cause of an unknown that other checks will have too, if it is such a one."""
    if finding.verdict.status is not Status.UNKNOWN:
        return None
    found = _COMMON.search(finding.verdict.message)
    return found[0] if found else None


def answered(checks: Sequence[Check], seconds: float) -> Iterator[Finding]:
    """The findings in the order of the checks, all within `seconds`.

    Where the first check is that of the credentials, and it fails, there are no others.
    """
    if checks and checks[0].name == "credentials":
        began = time.monotonic()
        (login,) = examine(checks[:1], seconds)
        yield login
        if login.failed:
            return
        checks, seconds = checks[1:], seconds - (time.monotonic() - began)
    yield from examine(checks, seconds)


def examine(checks: Sequence[Check], seconds: float) -> Iterator[Finding]:
    """The findings in the order of the checks, all within `seconds`."""
    deadline = time.monotonic() + seconds
    answers: list[Queue[Verdict]] = [Queue() for _ in checks]
    for check, answer in zip(checks, answers, strict=True):
        # A daemon: what hangs does not keep the process from ending.
        Thread(target=_ask, args=(check, answer), daemon=True).start()
    for check, answer in zip(checks, answers, strict=True):
        try:
            verdict = answer.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            message = f"no response within {seconds:g} s"
            verdict = Verdict(Status.UNKNOWN, message, check.by_hand)
        yield Finding(check, verdict)


def _ask(check: Check, answer: "Queue[Verdict]") -> None:
    try:
        verdict = check.ask()
    except Unknown as unknown:
        verdict = Verdict(Status.UNKNOWN, _line(unknown), unknown.run or check.by_hand)
    except Exception as error:  # whatever hinders the question is no answer
        verdict = Verdict(Status.UNKNOWN, _line(error) or type(error).__name__, check.by_hand)
    answer.put(verdict)


def _line(error: Exception) -> str:
    return " ".join(without_secrets(str(error)).split())[:500]

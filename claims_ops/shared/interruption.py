"""Signals that end a command after it has cleaned up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unwinding() -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP unwinds the block; more of them do not disturb that.

    SIGINT raises KeyboardInterrupt, also where it was ignored, as it is in a script after `&`.
    The others raise SystemExit with 128 + N, as a shell says it.
    """

    def unwind(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {each: signal.signal(each, unwind) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def shielded() -> Iterator[None]:
    """The same signals wait until the block has ended: for what must not be left half done."""
    waiting: list[tuple[int, FrameType | None]] = []
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each in _SIGNALS:
        signal.signal(each, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number, frame in waiting[:1]:
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)

"""All that a run says, output by output, at every log level."""

import logging
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from tests.support.privacy.canaries import sightings

_LOWEST = 1
_FILE_EVENTS = frozenset({"open", "os.mkdir", "os.rename", "os.link", "os.symlink"})
_listeners: list[list[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners and event in _FILE_EVENTS:
        for heard in _listeners:
            heard.append(repr(arguments[:2]))


@cache
def _install_hook() -> None:
    sys.addaudithook(_hear)  # for good: there is no way to remove one


class Observation:
    """What was said, by the name of the output."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = defaultdict(list)

    def add_exception(self, error: BaseException) -> None:
        """Keep an exception: its texts, those of its causes, and the traceback."""
        self.said["exceptions"] += [repr(error), *traceback.format_exception(error)]

    def leaks(self) -> dict[str, list[str]]:
        """Output -> the places in it that hold a canary."""
        found = {name: sightings("\n".join(texts)) for name, texts in self.said.items()}
        return {name: places for name, places in found.items() if places}


class _Keep(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(_LOWEST)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(threadName)s %(message)s"))
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(self.format(record))


@contextmanager
def observing(capfd: pytest.CaptureFixture[str]) -> Iterator[Observation]:
    """Listen to file descriptors, loggers and files of this process.

    The caller adds what only it can see: metrics, parameters, rows.
    """
    observation = Observation()
    _install_hook()
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in loggers]
    handler = _Keep(observation.said["logs"])
    for logger in loggers:
        logger.setLevel(_LOWEST)
    logging.getLogger().addHandler(handler)
    capfd.readouterr()
    _listeners.append(observation.said["file names"])
    try:
        yield observation
    finally:
        _listeners.pop()
        logging.getLogger().removeHandler(handler)
        for logger, level in levels:
            logger.setLevel(level)
        out, err = capfd.readouterr()
        observation.said["stdout"].append(out)
        observation.said["stderr"].append(err)

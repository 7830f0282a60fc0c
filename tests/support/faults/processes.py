"""Processes that are there at once, because they are forked from one that has imported it all."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence

from claims_ops import main as cli
from pipeline import main

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.support.faults.worker", "tests.support.faults.processes", "claims_ops.replay.command"]
)


def launch(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """The program `python -m pipeline.main`."""
    os.environ.update(environment)
    sys.exit(main.main(arguments))


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """The command `claims`."""
    os.environ.update(environment)
    sys.exit(cli.main(arguments))

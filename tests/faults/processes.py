"""Processes that are there at once, because they are forked from one that has imported it all."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence

from pipeline import main
from pipeline.tools import cli

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.faults.worker", "tests.faults.processes", "pipeline.tools.replay"]
)


def launch(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """The program `python -m pipeline.main`."""
    os.environ.update(environment)
    sys.exit(main.main(arguments))


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """The command `claims`."""
    os.environ.update(environment)
    sys.exit(cli.main(arguments))

"""The streaming pipeline on this machine: started, watched, stopped."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import click

from sandbox.emulators.emulators import PROJECT
from sandbox.emulators.local_server import LocalServer


class Route(NamedTuple):
    """Where claims come from and where they go, by full names."""

    topic: str
    """Empty, as the subscription, where claims come from files."""
    subscription: str
    claims_table: str
    """`project.dataset.table`."""
    error_table: str

    def parameters(self) -> list[str]:
        """Launch parameters of the pipeline; the launch creates the dataset too."""
        source = [f"--input_subscription={self.subscription}"] if self.subscription else []
        return [
            f"--project={PROJECT}",
            *source,
            f"--output_table={self.claims_table}",
            f"--error_table={self.error_table}",
            "--dataset_location=US",
        ]

    def tables(self) -> dict[str, str]:
        """The tables by their placeholders in `sql/`."""
        return {"CLAIMS_TABLE": self.claims_table, "ERROR_TABLE": self.error_table}


class LocalPipeline(LocalServer):
    """A running pipeline; ends with the `with` block and with this process."""

    def __init__(self, parameters: Sequence[str], log: Path) -> None:
        """Launch with these parameters, in our environment; the output goes to `log`."""
        command = [sys.executable, "-m", "sandbox.demo.direct_runner", *parameters]
        super().__init__("pipeline", command, log)

    def check(self) -> None:
        """Raise click.ClickException if it has ended, with the last line of its log.

        The end of the log goes to stderr.
        """
        if self._tether.poll() is not None:
            self._fail(self._tether.returncode)

    def has_ended(self) -> bool:
        """Whether it has done its work; raises as `check` does if it has failed."""
        status = self._tether.poll()
        if status:
            self._fail(status)
        return status is not None

    def _fail(self, status: int) -> NoReturn:
        click.echo(f"Last lines of the pipeline's log:\n{self._tail()}", err=True)
        if status > 128:
            raise click.ClickException(f"the pipeline was killed by signal {status - 128}")
        said = self._tail(lines=1).strip() or "no output"
        raise click.ClickException(f"the pipeline ended with exit code {status}: {said}")

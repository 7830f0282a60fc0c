"""Runs a plan: every measured run a fresh process, the cases of a round one after the other."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from workshop.benchmarks import inputs, reference, shapes
from workshop.benchmarks.contestants import CLAIMS, CONTESTANTS, ERRORS, REFERENCE, settings
from workshop.benchmarks.inputs import Input
from workshop.benchmarks.null_servers import NullServers
from workshop.benchmarks.plan import Case, Plan, largest
from workshop.benchmarks.run import Cost, Specification


class Wrong(RuntimeError):
    """A run failed, or not every claim came to the servers: its figures mean nothing."""


class Checkout(NamedTuple):
    """A version of this project whose pipelines can be run."""

    directory: Path
    python: str
    """The interpreter of its environment."""
    package: str
    """The one of its benchmark."""


THIS = Checkout(Path(__file__).parents[2], sys.executable, "workshop.benchmarks")


class Inputs:
    """The files that cases read, below a directory."""

    def __init__(self, directory: Path, rows: str = "rows.pickle") -> None:
        self._directory = directory
        self.rows = directory / rows
        """The file with ready rows."""

    def make(self, cases: Collection[Case], told: Callable[[int], None]) -> None:
        """Write all; `told` hears how many claims are written."""
        inputs.write_rows(self.rows, settings())
        reference.write(self._directory / REFERENCE)
        done = 0
        for share, count in largest(cases).items():
            source = self._directory / f"bad-{share}"
            for part in inputs.write_claims(source, count, share):
                told(done + part)
            done += count
            sizes = {
                size
                for case in cases
                if case.bad_share == share
                for size in (case.claims, case.small_claims)
            }
            for size in sizes:
                inputs.cut(source, self._at(share, size), size)
        for case in cases:
            for size in (case.claims, case.small_claims) if case.shape else ():
                shapes.write(
                    case.shape, self._at(case.bad_share, size), self._in_shape(case.shape, size)
                )

    def of(self, case: Case, claims: int) -> Input:
        """The input of a case with so many claims."""
        folder = self._in_shape(case.shape, claims) if case.shape else None
        pattern = (folder or self._at(case.bad_share, claims)) / "*.ndjson"
        return Input(str(pattern), str(self.rows), claims)

    def _at(self, share: float, claims: int) -> Path:
        return self._directory / f"bad-{share}-{claims}"

    def _in_shape(self, shape: str, claims: int) -> Path:
        return self._directory / f"{shape}-{claims}"


def environment(servers: NullServers) -> dict[str, str]:
    """That of a process whose BigQuery are these servers."""
    return {
        **os.environ,
        "BIGQUERY_EMULATOR_HOST": servers.insert_url,
        "BIGQUERY_STORAGE_EMULATOR_HOST": servers.storage_address,
        "GOOGLE_CLOUD_PROJECT": CLAIMS.project,
    }


def run_case(case: Case, files: Inputs, servers: NullServers, checkout: Checkout = THIS) -> Cost:
    """Measure a case of a checkout once.

    Raises:
        Wrong: the run failed, or lost or doubled a row.
    """
    small, large = (files.of(case, claims) for claims in (case.small_claims, case.claims))
    specification = Specification(case.contestant, small, large, case.processes)
    before = servers.rows()
    ended = subprocess.run(
        [checkout.python, "-m", f"{checkout.package}.run", specification.to_json()],
        cwd=checkout.directory,
        env=environment(servers),
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise Wrong(f"{case}\n{ended.stderr[-4_000:]}")
    _check(specification, servers.rows() - before)
    return Cost(**json.loads(ended.stdout.splitlines()[-1]))


def _check(specification: Specification, came: Counter[str]) -> None:
    claims = sum(source.claims for source in specification.inputs)
    wanted = claims * CONTESTANTS[specification.contestant].writes
    if came[CLAIMS.table] + came[ERRORS.table] != wanted:
        raise Wrong(
            f"{specification.contestant}: {wanted} rows were to come, and these came: {dict(came)}"
        )


def measure(plan: Plan, files: Inputs, servers: NullServers) -> Iterator[tuple[Case, Cost]]:
    """Measure all cases of a plan in rounds, so that a slow minute hits all contestants."""
    for number in range(plan.rounds):
        for case, rounds in plan.cases().items():
            if number < rounds:
                yield case, run_case(case, files, servers)

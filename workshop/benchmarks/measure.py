"""Runs a plan: every measured run a fresh process, the cases of a round one after the other."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from workshop.benchmarks import inputs, reference, shapes
from workshop.benchmarks.contestants import CLAIMS, CONTESTANTS, ERRORS, REFERENCE, settings
from workshop.benchmarks.inputs import Input
from workshop.benchmarks.null_servers import NullServers
from workshop.benchmarks.plan import Case, Plan
from workshop.benchmarks.run import Cost, Specification


class Wrong(RuntimeError):
    """A run failed, or not every claim came to the servers: its figures mean nothing."""


class Inputs:
    """The files that the cases of a plan read, below a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rows = directory / "rows.pickle"

    def make(self, plan: Plan, told: Callable[[int], None]) -> None:
        """Write all; `told` hears how many claims are written."""
        inputs.write_rows(self._rows, settings())
        reference.write(self._directory / REFERENCE)
        largest = plan.largest()
        done = 0
        for share, count in largest.items():
            source = self._directory / f"bad-{share}"
            for part in inputs.write_claims(source, count, share):
                told(done + part)
            done += count
            sizes = {
                size
                for case in plan.cases()
                if case.bad_share == share
                for size in (case.claims, case.small_claims)
            }
            for size in sizes:
                inputs.cut(source, self._at(share, size), size)
        for case in plan.shapes:
            for size in (case.claims, case.small_claims):
                shapes.write(
                    case.shape, self._at(case.bad_share, size), self._in_shape(case.shape, size)
                )

    def of(self, case: Case, claims: int) -> Input:
        """The input of a case with so many claims."""
        folder = self._in_shape(case.shape, claims) if case.shape else None
        pattern = (folder or self._at(case.bad_share, claims)) / "*.ndjson"
        return Input(str(pattern), str(self._rows), claims)

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


def run_case(case: Case, files: Inputs, servers: NullServers) -> Cost:
    """Measure a case once.

    Raises:
        Wrong: the run failed, or lost or doubled a row.
    """
    small, large = (files.of(case, claims) for claims in (case.small_claims, case.claims))
    specification = Specification(case.contestant, small, large, case.processes)
    before = servers.rows()
    ended = subprocess.run(
        [sys.executable, "-m", "workshop.benchmarks.run", specification.to_json()],
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

"""This checkout against another one: whole pipeline and sink of both, alternately, in one run.

The other checkout may be of any version that has this benchmark, in its own environment: both get
the same claims and servers, and each writes the ready rows of its own claims table.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from workshop.benchmarks.measure import THIS, Checkout, Inputs, Wrong, run_case
from workshop.benchmarks.null_servers import NullServers
from workshop.benchmarks.plan import Case, Plan
from workshop.benchmarks.results import Result, Results, Spread, ratio, sink_cpu_us

_PACKAGES = ("workshop.benchmarks", "benchmarks")
"""Where the benchmark is, or was."""
_WRITE_ROWS = """
import pathlib, sys
from {0}.contestants import settings
from {0}.inputs import write_rows
write_rows(pathlib.Path(sys.argv[1]), settings())
"""
ROUNDS = {"full": 9, "quick": 3}


class Comparison(NamedTuple):
    """One figure of both checkouts, round by round."""

    name: str
    before: list[float]
    """CPU microseconds a claim or a row of the other checkout."""
    after: list[float]

    @property
    def ratio(self) -> Spread:
        """After to before, within each round."""
        return ratio(self.after, self.before)


def checkout(directory: Path) -> Checkout:
    """The other checkout.

    Raises:
        ValueError: it has no environment or no benchmark.
    """
    python = directory.resolve() / ".venv/bin/python"
    if not python.exists():
        raise ValueError(f"{directory} has no .venv/bin/python; run `make setup` there.")
    for package in _PACKAGES:
        if (directory / package.replace(".", "/") / "run.py").exists():
            return Checkout(directory.resolve(), str(python), package)
    raise ValueError(
        f"{directory} is not a checkout of this project, because it has no benchmarks/run.py."
    )


def cases(plan: Plan) -> tuple[Case, ...]:
    """What is compared."""
    return plan.ours, plan.rows, plan.our_sink


def compare(
    plan: Plan,
    other: Checkout,
    directory: Path,
    servers: NullServers,
    ran: Callable[[str], None],
) -> list[Comparison]:
    """Measure both; files are written below a directory, and `ran` hears of each run.

    Raises:
        Wrong: a run failed, or lost or doubled a row.
    """
    before, after = Inputs(directory, "rows-before.pickle"), Inputs(directory)
    after.make(cases(plan), lambda _: None)
    _write_rows(other, before.rows)
    sides: list[tuple[str, Checkout, Inputs, Results]] = [
        ("before", other, before, {case: Result(case, []) for case in cases(plan)}),
        ("after", THIS, after, {case: Result(case, []) for case in cases(plan)}),
    ]
    for number in range(ROUNDS[plan.name]):
        for case in cases(plan):
            # The one that comes first changes, so that a machine that slows down favours none.
            for name, who, files, results in sides[:: -1 if number % 2 else 1]:
                results[case].costs.append(run_case(case, files, servers, who))
                ran(f"{name}: {case.contestant}")
    return list(_comparisons(plan, *(results for *_, results in sides)))


def _write_rows(other: Checkout, path: Path) -> None:
    ended = subprocess.run(
        [other.python, "-c", _WRITE_ROWS.format(other.package), str(path)],
        cwd=other.directory,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise Wrong(f"ready rows of {other.directory}\n{ended.stderr[-4_000:]}")


def _comparisons(plan: Plan, before: Results, after: Results) -> Iterator[Comparison]:
    yield Comparison("whole pipeline", before[plan.ours].cpu_us, after[plan.ours].cpu_us)
    sinks = [sink_cpu_us(plan, results, plan.our_sink) for results in (before, after)]
    yield Comparison("the sink alone", *sinks)

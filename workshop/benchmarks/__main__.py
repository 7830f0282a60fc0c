"""`python -m workshop.benchmarks`: measures, shows the tables, writes them beside this file."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from workshop.benchmarks import machine, report
from workshop.benchmarks.measure import Inputs, Wrong, measure
from workshop.benchmarks.null_servers import null_servers
from workshop.benchmarks.plan import FULL, QUICK, Plan
from workshop.benchmarks.results import Result, Results

HERE = Path(__file__).parent
_PAGE_WIDTH = 110
"""Of the tables, where there is no terminal."""


@contextmanager
def _progress(plan: Plan) -> Iterator["_Bar"]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _Bar(progress, plan)


class _Bar:
    """Progress: a bar on a terminal, else one line per run."""

    def __init__(self, progress: Progress, plan: Plan) -> None:
        self._progress = progress
        self._make = progress.add_task("claims made", total=sum(plan.largest().values()))
        self._runs = progress.add_task("runs", total=sum(plan.cases().values()))
        self._began = time.monotonic()

    def made(self, done: int) -> None:
        self._progress.update(self._make, completed=done)

    def ran(self, what: str) -> None:
        self._progress.update(self._runs, advance=1, description=f"runs ({what})")
        if self._progress.disable:
            click.echo(f"{time.monotonic() - self._began:5.0f} s  {what}", err=True)


def _results(plan: Plan) -> Results:
    results: Results = {case: Result(case, []) for case in plan.cases()}
    with (
        tempfile.TemporaryDirectory(prefix="claims-bench-") as directory,
        null_servers() as servers,
        _progress(plan) as bar,
    ):
        files = Inputs(Path(directory))
        files.make(plan, bar.made)
        for case, cost in measure(plan, files, servers):
            results[case].costs.append(cost)
            bar.ran(f"{case.contestant}, {case.claims:,} claims")
    return results


@click.command()
@click.option("--quick", is_flag=True, help="Within two minutes: fewer rounds, fewer claims.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for results.md and results.json."
    "  [default: workshop/benchmarks; build/bench if quick]",
)
def main(quick: bool, output: Path | None) -> None:
    """Measure what a claim costs, against the stock pipeline and the floor.

    A promise that is not kept is said, and does not fail the run; a run that loses a row does.
    """
    plan = QUICK if quick else FULL
    output = output or (HERE.parent / "build/bench" if quick else HERE)
    console = Console(width=None if sys.stdout.isatty() else _PAGE_WIDTH)
    described = machine.describe()
    try:
        results = _results(plan)
    except Wrong as wrong:
        raise click.ClickException(str(wrong)) from None
    report.show(plan, results, console)
    output.mkdir(parents=True, exist_ok=True)
    for name, write in (("results.md", report.markdown), ("results.json", report.document)):
        (output / name).write_text(write(plan, results, described))
        console.print(f"written: {output / name}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()

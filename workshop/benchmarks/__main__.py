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

from workshop.benchmarks import against, machine, on_prism, report
from workshop.benchmarks.measure import Checkout, Inputs, Wrong, measure
from workshop.benchmarks.null_servers import null_servers
from workshop.benchmarks.plan import FULL, QUICK, Plan, largest
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
        self._make = progress.add_task("claims made", total=sum(largest(plan.cases()).values()))
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
        files.make(plan.cases(), bar.made)
        for case, cost in measure(plan, files, servers):
            results[case].costs.append(cost)
            bar.ran(f"{case.contestant}, {case.claims:,} claims")
    return results


def _checkout(_context: object, _option: object, directory: Path | None) -> Checkout | None:
    try:
        return against.checkout(directory) if directory else None
    except ValueError as unfit:
        raise click.BadParameter(str(unfit)) from None


def _compare(plan: Plan, other: Checkout, output: Path, console: Console) -> None:
    described = machine.describe()
    began = time.monotonic()

    def ran(what: str) -> None:
        click.echo(f"{time.monotonic() - began:5.0f} s  {what}", err=True)

    with tempfile.TemporaryDirectory(prefix="claims-bench-") as files, null_servers() as servers:
        compared = against.compare(plan, other, Path(files), servers, ran)
    report.show([report.comparison(compared)], console)
    page = report.comparison_markdown(compared, other.directory.name, described)
    _write(output, {"against.md": page}, console)


def _write(output: Path, pages: dict[str, str], console: Console) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name, page in pages.items():
        (output / name).write_text(page)
        console.print(f"written: {output / name}", highlight=False, soft_wrap=True)


@click.command()
@click.option(
    "--quick", is_flag=True, help="Finish within two minutes, with fewer rounds and claims."
)
@click.option(
    "--against",
    "other",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    callback=_checkout,
    help="Compare with another checkout (after `make setup` there): measure only the whole"
    " pipeline and the sink of both, alternately, and write the ratios to against.md.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for results.md and results.json, or against.md."
    "  [default: workshop/benchmarks; build/bench if quick or against]",
)
def main(quick: bool, other: Checkout | None, output: Path | None) -> None:
    """Measure what a claim costs, against the stock pipeline and the floor.

    The report says when a promise is not kept; only a run that loses a row fails.
    """
    plan = QUICK if quick else FULL
    output = output or (HERE.parents[1] / "build/bench" if quick or other else HERE)
    console = Console(width=None if sys.stdout.isatty() else _PAGE_WIDTH)
    try:
        if other:
            _compare(plan, other, output, console)
            return
        described = machine.describe()
        results = _results(plan)
    except Wrong as wrong:
        raise click.ClickException(str(wrong)) from None
    report.show(report.sections(plan, results), console)
    pages = {
        "results.md": report.markdown(plan, results, described),
        "results.json": report.document(plan, results, described),
    }
    _write(output, pages, console)
    on_prism.add_to_page(output)


if __name__ == "__main__":
    main()

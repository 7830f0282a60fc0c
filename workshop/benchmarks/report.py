"""Results as tables: on the terminal, as Markdown and as JSON."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from workshop.benchmarks.against import Comparison
from workshop.benchmarks.plan import Case, Plan
from workshop.benchmarks.results import Result, Results, Spread, Verdict, sink_cpu_us, verdicts


class Section(NamedTuple):
    """One table."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


_COSTS = ("CPU us a claim", "range", "wall us a claim", "peak MB")


def sections(plan: Plan, results: Results) -> Iterator[Section]:
    """The tables of a run."""
    yield Section("Verdicts", ("promise", "measured", "range", "limit", ""), [
        _verdict_row(verdict) for verdict in verdicts(plan, results)
    ])  # fmt: skip
    whole = (plan.floor, plan.stock, plan.ours_inserts, plan.ours, plan.signals)
    floor = Spread.of(results[plan.floor].cpu_us).median
    yield Section("Whole pipelines", ("pipeline", *_COSTS, "times the floor"), [
        (case.contestant, *_costs(results[case]), f"{_median(results[case]) / floor:.1f}")
        for case in whole
    ])  # fmt: skip
    if plan.stages:
        yield Section("Ours, one step more each time", ("steps", *_COSTS), [
            (case.contestant, *_costs(results[case])) for case in (*plan.stages, plan.ours)
        ])  # fmt: skip
    if plan.streaming:
        yield Section("Streaming", ("pipeline", *_COSTS), [
            (case.contestant, *_costs(results[case])) for case in plan.streaming
        ])  # fmt: skip
    if plan.shapes:
        yield Section("Claims in other shapes", ("shape", *_COSTS), [
            (case.contestant, *_costs(results[case]))
            for case in dict.fromkeys((plan.ours, *plan.shapes, *plan.signals_with_lines))
        ])  # fmt: skip
    yield Section("Sinks alone", ("sink", "CPU us a row", "range"), [
        (name, *_spread(Spread.of(sink_cpu_us(plan, results, sink))))
        for name, sink in (
            ("WriteToBigQuery, streaming inserts", plan.stock_sink),
            ("ours, StorageWrite", plan.our_sink),
        )
    ])  # fmt: skip
    groups: tuple[tuple[str, str, tuple[Case, ...]], ...] = (
        ("More claims", "claims", plan.sizes),
        ("More worker processes", "processes", plan.processes),
        ("More bad claims", "bad_share", plan.bad_shares),
    )
    for title, field, cases in groups:
        if cases:
            rows = [(_text(getattr(case, field)), *_costs(results[case])) for case in cases]
            yield Section(title, (field.replace("_", " "), *_COSTS), rows)


def show(sections: Iterable[Section], console: Console) -> None:
    """Print tables."""
    for section in sections:
        table = Table(title=section.title, title_justify="left", title_style="bold")
        for place, column in enumerate(section.columns):
            table.add_column(column, justify="right" if place else "left")
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def markdown(plan: Plan, results: Results, machine: dict[str, str]) -> str:
    """The tables as a page."""
    told = ", ".join(f"{name} {value}" for name, value in machine.items())
    parts = [
        _INTRODUCTION.format(
            form=plan.name, machine=told, rounds=plan.rounds, rest=plan.rounds_of_rest
        )
    ]
    return "\n\n".join([*parts, *map(section_markdown, sections(plan, results))]) + "\n"


def comparison(comparisons: Iterable[Comparison]) -> Section:
    """The table of another checkout (before) and this one (after)."""
    columns = ("CPU us a claim or row", "before", "range", "after", "range", "ratio", "range")
    return Section("Against the other checkout", columns, [
        (each.name, *_spread(Spread.of(each.before)), *_spread(Spread.of(each.after)),
         *_spread(each.ratio, 3))
        for each in comparisons
    ])  # fmt: skip


def comparison_markdown(
    comparisons: Iterable[Comparison], directory: str, machine: dict[str, str]
) -> str:
    """The same as a page."""
    told = ", ".join(f"{name} {value}" for name, value in machine.items())
    introduction = f"# Benchmark against {directory}\n\n{told}. A ratio is taken within a round."
    return f"{introduction}\n\n{section_markdown(comparison(comparisons))}\n"


def section_markdown(section: Section) -> str:
    """One table, under its title."""
    rule = ("---", *("---:" for _ in section.columns[1:]))
    lines = [_line(row) for row in (section.columns, rule, *section.rows)]
    return "\n".join([f"## {section.title}", "", *lines])


def document(plan: Plan, results: Results, machine: dict[str, str]) -> str:
    """Everything that was measured, as JSON."""
    told = {
        "form": plan.name,
        "machine": machine,
        "verdicts": [
            {**verdict._asdict(), "ratio": verdict.ratio._asdict(), "is_kept": verdict.is_kept}
            for verdict in verdicts(plan, results)
        ],
        "cases": [
            {
                **result.case._asdict(),
                "cpu_us": Spread.of(result.cpu_us)._asdict(),
                "wall_us": Spread.of(result.wall_us)._asdict(),
                "peak_mb": Spread.of(result.peak_mb)._asdict(),
                "runs": [asdict(cost) for cost in result.costs],
            }
            for result in results.values()
        ],
    }
    return json.dumps(told, indent=1) + "\n"


_INTRODUCTION = """\
# Benchmark

Written by `make bench` ({form} form). {machine}.

CPU is the user and system time of the pipeline's processes, without the servers that receive the
rows. Each figure is the median of the rounds ({rounds}; {rest} for sizes, processes, bad input);
the range goes from the lowest to the highest. Ratios are computed within a round. Start-up costs
are subtracted: each run is a fresh process that reads a small input before the large one. The
runner is FnApiRunner, with servers that respond immediately. *Floor* is `ReadFromText` and
`orjson.loads`; *stock* is the same steps built from Beam's own transforms
([stock.py](stock.py))."""


def _verdict_row(verdict: Verdict) -> tuple[str, ...]:
    sign = "at least" if verdict.at_least else "at most"
    least, most = verdict.ratio.least, verdict.ratio.most
    return (
        verdict.promise,
        f"{verdict.ratio.median:.2f}",
        f"{least:.2f} to {most:.2f}",
        f"{sign} {verdict.limit:g}",
        "pass" if verdict.is_kept else "FAIL",
    )


def _costs(result: Result) -> tuple[str, ...]:
    wall, peak = (Spread.of(values).median for values in (result.wall_us, result.peak_mb))
    return (*_spread(Spread.of(result.cpu_us)), f"{wall:.1f}", f"{peak:.0f}")


def _spread(spread: Spread, digits: int = 1) -> tuple[str, str]:
    median, least, most = (f"{value:.{digits}f}" for value in spread)
    return median, f"{least} to {most}"


def _median(result: Result) -> float:
    return Spread.of(result.cpu_us).median


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.0%}"


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"

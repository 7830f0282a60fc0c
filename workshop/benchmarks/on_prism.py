"""What a claim costs on Prism beside FnApiRunner: `python -m workshop.benchmarks.on_prism PRISM`.

As the benchmark measures: our backfill on a small input to get warm, on the small one, on the large
one; the last less the second is the cost of the claims that the large input has more. The figures
go to engines.json and, as the last table, to results.md, where `make bench` keeps them.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import clients
from workshop.benchmarks import machine, report
from workshop.benchmarks.contestants import CONTESTANTS
from workshop.benchmarks.inputs import Input, cut, write_claims
from workshop.benchmarks.measure import environment
from workshop.benchmarks.null_servers import NullServers, null_servers
from workshop.benchmarks.plan import OURS

HERE = Path(__file__).parent
FIGURES, PAGE = "engines.json", "results.md"
SMALL, LARGE = 10_000, 100_000
BAD_SHARE = 0.05
ROUNDS = 3
Figures = Mapping[str, float]
"""Of one engine: `us_a_claim` of CPU, `seconds` for the large input, `peak_mb`."""
_TICKS = os.sysconf("SC_CLK_TCK")


def _processes() -> list[Path]:
    """This one and those that it has started: of Prism, the server is one."""
    own = Path("/proc/self").resolve()
    started = own.glob("task/*/children")
    return [own, *(Path("/proc", pid) for each in started for pid in each.read_text().split())]


def _cpu_seconds(process: Path) -> float:
    user, system = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def _peak_bytes(process: Path) -> int:
    [line] = [x for x in (process / "status").read_text().splitlines() if x.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def measure(directory: str, *flags: str) -> dict[str, float]:
    """CPU us a claim and peak memory of all processes together, in a process of its own."""
    spent = []
    for size in (SMALL, SMALL, LARGE):
        with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
            source = Input(f"{directory}/{size}/*", "", size)
            CONTESTANTS[OURS].build(pipeline, source)
        spent.append((sum(map(_cpu_seconds, _processes())), time.monotonic()))
    (_, _), (small, begun), (large, ended) = spent
    first = spent[0][0]
    cpu = (large - small) - (small - first)
    return {
        "us_a_claim": 1e6 * cpu / (LARGE - SMALL),
        "seconds": ended - begun,
        "peak_mb": sum(map(_peak_bytes, _processes())) / 1e6,
    }


def section(engines: Mapping[str, Figures]) -> report.Section:
    """The table: a line for each engine."""
    return report.Section("Engines", ("engine", "CPU us a claim", "seconds", "peak MB"), [
        (name, f"{each['us_a_claim']:.1f}", f"{each['seconds']:.1f}", f"{each['peak_mb']:.0f}")
        for name, each in engines.items()
    ])  # fmt: skip


def add_to_page(directory: Path) -> None:
    """Put the figures that lie beside the page at its end, in place of older ones."""
    figures, page = directory / FIGURES, directory / PAGE
    if not (figures.exists() and page.exists()):
        return
    found = json.loads(figures.read_text())
    others = page.read_text().partition("\n## Engines")[0].rstrip()
    told = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    about = (
        f"Written by `make engines`: {LARGE:,} claims, of which {BAD_SHARE:.0%} are bad; the median"
        f" of {ROUNDS} runs; memory counts all processes, including Prism's server. {told}."
    )
    table = report.section_markdown(section(found["engines"]))
    page.write_text(f"{others}\n\n{table}\n\n{about}\n")


def _measured(directory: str, flags: list[str], servers: NullServers) -> dict[str, float]:
    """The figures of one run in a process of its own."""
    before = servers.rows().total()
    done = subprocess.run(
        [sys.executable, "-m", "workshop.benchmarks.on_prism", directory, *flags],
        env=environment(servers),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    if (came := servers.rows().total() - before) != 2 * SMALL + LARGE:
        sys.exit(f"{2 * SMALL + LARGE} rows were to come, and {came} came")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(prism: str, output: Path = HERE) -> None:
    """Measure both in turn, and write the figures."""
    engines = {
        "FnApiRunner": ["--runner=FnApiRunner"],
        "Prism": ["--runner=PrismRunner", f"--prism_location={prism}"],
    }
    described = machine.describe()
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
    with tempfile.TemporaryDirectory() as directory, null_servers() as servers:
        whole = Path(directory, str(LARGE))
        list(write_claims(whole, LARGE, BAD_SHARE))
        cut(whole, Path(directory, str(SMALL)), SMALL)
        for number in range(ROUNDS):
            for name, flags in engines.items():
                runs[name].append(_measured(directory, flags, servers))
                us = runs[name][-1]["us_a_claim"]
                print(f"{name}, run {number + 1} of {ROUNDS}: {us:.1f} us CPU a claim", flush=True)
    figures = {
        name: {key: median(run[key] for run in each) for key in each[0]}
        for name, each in runs.items()
    }
    text = json.dumps({"machine": described, "engines": figures}, indent=1)
    (output / FIGURES).write_text(f"{text}\n")
    add_to_page(output)
    print(f"{report.section_markdown(section(figures))}\nwritten: {output / PAGE}")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        clients.ensure_credentials()
        print(json.dumps(measure(*sys.argv[1:])))

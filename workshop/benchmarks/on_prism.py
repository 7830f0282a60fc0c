"""What a claim costs on Prism beside FnApiRunner: `python -m workshop.benchmarks.on_prism PRISM`.

As the benchmark measures: our backfill on a small input to get warm, on the small one, on the large
one; the last less the second is the cost of the claims that the large input has more.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import clients
from workshop.benchmarks.contestants import CONTESTANTS
from workshop.benchmarks.inputs import Input, cut, write_claims
from workshop.benchmarks.null_servers import null_servers

SMALL, LARGE = 10_000, 100_000
BAD_SHARE = 0.05
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
            CONTESTANTS["ours, STORAGE_WRITE_API"].build(pipeline, source)
        spent.append((sum(map(_cpu_seconds, _processes())), time.monotonic()))
    (_, _), (small, begun), (large, ended) = spent
    first = spent[0][0]
    cpu = (large - small) - (small - first)
    return {
        "us_a_claim": 1e6 * cpu / (LARGE - SMALL),
        "seconds": ended - begun,
        "peak_mb": sum(map(_peak_bytes, _processes())) / 1e6,
    }


def main(prism: str) -> None:
    """Measure both, and print a line for each."""
    engines = {
        "FnApiRunner": ["--runner=FnApiRunner"],
        "Prism": ["--runner=PrismRunner", f"--prism_location={prism}"],
    }
    with tempfile.TemporaryDirectory() as directory, null_servers() as servers:
        whole = Path(directory, str(LARGE))
        list(write_claims(whole, LARGE, BAD_SHARE))
        cut(whole, Path(directory, str(SMALL)), SMALL)
        environment = os.environ | {
            "BIGQUERY_STORAGE_EMULATOR_HOST": servers.storage_address,
            "BIGQUERY_EMULATOR_HOST": servers.insert_url,
        }
        for name, flags in engines.items():
            command = [sys.executable, "-m", "workshop.benchmarks.on_prism", directory, *flags]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr[-2000:])
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{name}: {found['us_a_claim']:.1f} us CPU a claim, {found['seconds']:.1f} s for"
                f" {LARGE:,} claims, {found['peak_mb']:.0f} MB"
            )


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        clients.ensure_credentials()
        print(json.dumps(measure(*sys.argv[1:])))

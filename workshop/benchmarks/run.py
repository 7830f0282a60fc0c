"""One measured run, in its own process: `python -m workshop.benchmarks.run SPECIFICATION`.

The pipeline runs three times: on the small input to get warm, on the small input, on the large
one. What the last takes more than the second is the cost of the claims that the large input has
more: start-up, construction and connections cancel out. With worker processes, which are new each
time, there is nothing to get warm.
"""

import json
import logging
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline import clients
from workshop.benchmarks.contestants import CONTESTANTS
from workshop.benchmarks.inputs import Input

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Specification:
    """What one run does."""

    contestant: str
    small: Input
    large: Input
    processes: int
    """Worker processes; 0 runs the pipeline in this one."""

    @property
    def inputs(self) -> list[Input]:
        """What the pipeline reads, run by run."""
        warm_up = [] if self.processes else [self.small]
        return [*warm_up, self.small, self.large]

    def to_json(self) -> str:
        """As the argument of the process."""
        return json.dumps(asdict(self) | {"small": self.small, "large": self.large})

    @classmethod
    def from_json(cls, text: str) -> "Specification":
        """What `to_json` has made."""
        told: dict[str, Any] = json.loads(text)
        return cls(**told | {"small": Input(*told["small"]), "large": Input(*told["large"])})


@dataclass(frozen=True)
class Cost:
    """What a run has cost."""

    cpu_seconds: float
    """User and system, of this process and its children."""
    wall_seconds: float
    fixed_cpu_seconds: float
    """The same for the small input."""
    fixed_wall_seconds: float
    peak_bytes: int
    """Resident memory of this process at its largest, or of a worker process if that is larger."""


def _usage() -> tuple[float, float]:
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return cpu, time.monotonic()


def _options(processes: int) -> PipelineOptions:
    if not processes:
        return PipelineOptions([])
    return PipelineOptions(
        [f"--direct_num_workers={processes}", "--direct_running_mode=multi_processing"]
    )


def run_pipeline(contestant: str, source: Input, processes: int = 0) -> tuple[float, float]:
    """Run to the end; CPU and wall seconds."""
    cpu, wall = _usage()
    with beam.Pipeline(runner=FnApiRunner(), options=_options(processes)) as pipeline:
        CONTESTANTS[contestant].build(pipeline, source)
    cpu_after, wall_after = _usage()
    return cpu_after - cpu, wall_after - wall


def measure(specification: Specification) -> Cost:
    """Run as the module says."""
    *_, fixed, whole = (
        run_pipeline(specification.contestant, source, specification.processes)
        for source in specification.inputs
    )
    return Cost(*whole, *fixed, _peak_bytes(specification.processes))


def _peak_bytes(processes: int) -> int:
    # What the system calls the maximum of a new process includes that of its parent, where the
    # two share memory until the new one has its own program.
    peaks = [
        int(line.split()[1]) * 1024
        for line in (_STATUS.read_text().splitlines() if _STATUS.exists() else ())
        if line.startswith("VmHWM:")
    ]
    if not peaks:
        peaks = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT]
    if processes:
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _MAXRSS_UNIT)
    return max(peaks)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    clients.ensure_credentials()
    print(json.dumps(asdict(measure(Specification.from_json(sys.argv[1])))))

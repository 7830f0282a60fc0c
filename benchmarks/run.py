"""One measured run, in a process of its own: `python -m benchmarks.run SPECIFICATION`.

The pipeline runs three times: on the small input to get warm, on the small input, on the large
one. What the last takes more than the second is the cost of the claims that the large input has
more: start-up, construction and connections cancel out.
"""

import json
import logging
import resource
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks.contestants import CONTESTANTS
from benchmarks.inputs import Input
from pipeline import emulation

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Specification:
    """What one run does."""

    contestant: str
    small: Input
    large: Input
    processes: int
    """Worker processes; 0 runs the pipeline in this one."""

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
    """Resident memory of the largest process at its largest."""


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
    """Run thrice, as the module says."""
    contestant, processes = specification.contestant, specification.processes
    run_pipeline(contestant, specification.small, processes)
    fixed = run_pipeline(contestant, specification.small, processes)
    whole = run_pipeline(contestant, specification.large, processes)
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return Cost(*whole, *fixed, peak * _MAXRSS_UNIT)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    emulation.ensure_credentials()
    print(json.dumps(asdict(measure(Specification.from_json(sys.argv[1])))))

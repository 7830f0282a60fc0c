"""What the figures were measured on."""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sandbox.synthetic.synthetic import Claim, claims
from workshop.benchmarks.inputs import NOW

PACKAGES = ("apache-beam", "grpcio", "protobuf", "orjson", "jsonschema-rs", "claims-pipeline")
_PACE_CLAIMS = 5_000


def describe() -> dict[str, str]:
    """Machine, versions and date, by name."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": f"{_memory_bytes() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "pace": f"{pace_us():.1f} us for json.loads of a claim",
        **{name: version(name) for name in PACKAGES},
    }


def pace_us() -> float:
    """How fast the machine is just now: CPU microseconds of the standard library for one claim."""
    text = json.dumps(_claim())
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(_PACE_CLAIMS):
            json.loads(text)
        best = min(best, time.process_time() - began)
    return 1e6 * best / _PACE_CLAIMS


def _claim() -> Claim:
    """A claim, the same each time."""
    return next(claims(seed=1, now=NOW, variants=0))


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cpu_model() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"

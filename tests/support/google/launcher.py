"""What Dataflow does with a launch request: it runs the template's image as the launcher.

The service's part is done here as Google documents it; the launched program is ours, run as a
process with the environment that the Dockerfile gives to the image.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]

# Names of the runtime environment's fields as Beam's options.
_OPTIONS = {
    "enableStreamingEngine": "enable_streaming_engine",
    "kmsKeyName": "dataflow_kms_key",
    "machineType": "worker_machine_type",
    "maxWorkers": "max_num_workers",
    "network": "network",
    "numWorkers": "num_workers",
    "sdkContainerImage": "sdk_container_image",
    "serviceAccountEmail": "service_account_email",
    "stagingLocation": "staging_location",
    "subnetwork": "subnetwork",
    "tempLocation": "temp_location",
    "workerRegion": "worker_region",
    "workerZone": "worker_zone",
}


def arguments(
    spec: Mapping[str, Any], job: Mapping[str, str], asked: Mapping[str, Any], job_object: str
) -> list[str]:
    """The command line of the launched program, for `asked`, a LaunchFlexTemplateParameter."""
    options: dict[str, Any] = {
        "runner": "DataflowRunner",
        "project": job["projectId"],
        "region": job["location"],
        "job_name": job["name"],
        "template_location": job_object,
    }
    environment = {**spec.get("defaultEnvironment", {}), **asked.get("environment", {})}
    options |= {_OPTIONS[name]: value for name, value in environment.items() if value}
    options |= asked.get("parameters", {})
    return [
        f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()
    ]


def launch(
    given: list[str], image: str, environment: Mapping[str, str], directory: Path
) -> subprocess.CompletedProcess[str]:
    """Run the program of the image named `image`, from a file alone in its directory."""
    program = directory / "template/pipeline/main.py"
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "pipeline/main.py", program)
    return subprocess.run(
        [sys.executable, program, *given],
        env={"PATH": os.environ["PATH"], "CLAIMS_IMAGE": image, **environment},
        cwd=program.parents[1],
        capture_output=True,
        text=True,
        timeout=100,
    )

"""Launches the job, from the template or from this checkout."""

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claims_ops.deployment.gcloud import Command, Gcloud, StepFailed
from claims_ops.deployment.job import DRAINING, RUNNING, Job
from claims_ops.deployment.names import Deployment
from claims_ops.deployment.steps import EXISTS
from claims_ops.deployment.transform_names import entry_for

LAUNCH_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Launch:
    """A new job, or one that replaces the running one."""

    deployment: Deployment
    gcloud: Gcloud
    update: bool
    names: Mapping[str, str]
    """Old labels of steps to new ones: Dataflow's transform_name_mapping."""
    name: str = "launch"

    @property
    def title(self) -> str:
        return (
            f"job {self.deployment.name} from {self.deployment.image or self.deployment.template}"
        )

    def plan(self) -> list[str]:
        asks = [f"? {self.gcloud.shown(self._job.list_active)}"]
        if self.update and self.names:
            asks.append(f"? {self.gcloud.shown(self._job.describe('JOB_ID'))}")
        if self.deployment.image:
            return [*asks, f"+ {shlex.join(self._program(self.names))}"]
        flags = json.dumps(self._flags(self.names), indent=2)
        run = self.gcloud.shown(self._run("flags.json"))
        return [*asks, f"+ cat > flags.json <<'END'\n{flags}\nEND", f"+ {run}"]

    def take(self) -> str:
        running = self._job.active()
        if running and running["state"] == DRAINING:
            raise StepFailed(f"the job {running['id']} is draining; wait until it has stopped")
        if running and self.update and running["state"] != RUNNING:
            message = f"{running['id']} is {running['state']}"
            raise StepFailed(f"the job {message}; it can be replaced once it is {RUNNING}")
        if running and not self.update:
            found = f"{running['id']} is {running['state']}"
            return f"{EXISTS}: {found}; pass --update to replace it"
        if self.update and not running:
            raise StepFailed(
                f"the job {self.deployment.name} is not running; launch without --update"
            )
        names = self._names_of(running["id"]) if running and self.names else {}
        return self._launch_image(names) if self.deployment.image else self._launch_template(names)

    @property
    def _job(self) -> Job:
        return Job(self.deployment, self.gcloud)

    def _names_of(self, job_id: str) -> dict[str, str]:
        """Those that the job has a step for: it may be newer than some."""
        job = self.gcloud.read(self._job.describe(job_id)) or {}
        steps = job.get("pipelineDescription", {}).get("originalPipelineTransform", ())
        labels = {step["name"] for step in steps}
        if not labels:
            return dict(self.names)  # unknown; Dataflow says what it misses
        used = {entry_for(label, self.names) for label in labels}
        return {old: new for old, new in self.names.items() if old in used}

    def _launch_template(self, names: Mapping[str, str]) -> str:
        with tempfile.TemporaryDirectory() as directory:
            # A file: neither a shell nor gcloud's own syntax spoils commas, quotes and blanks.
            path = Path(directory) / "flags.json"
            path.write_text(json.dumps(self._flags(names)))
            answer = self.gcloud.run((*self._run(str(path)), "--format=json"))
        return f"launched as {json.loads(answer)['job']['id']}"

    def _run(self, flags: str) -> Command:
        return ("dataflow", "flex-template", "run", self.deployment.name, f"--flags-file={flags}")

    def _flags(self, names: Mapping[str, str]) -> dict[str, Any]:
        from pipeline.launch.dataflow import (
            AT_LEAST_ONCE,  # here: it brings Beam, which takes seconds
        )

        to, workers = self.deployment, self.deployment.workers
        flags = {
            "region": to.region,
            "template-file-gcs-location": to.template,
            "parameters": to.parameters,
            "service-account-email": to.worker_account,
            "staging-location": f"gs://{to.bucket}/staging",
            "temp-location": f"gs://{to.bucket}/temp",
            "max-workers": workers.max_workers,
            "num-workers": workers.num_workers,
            "worker-machine-type": workers.machine_type,
            "network": workers.network,
            "subnetwork": workers.subnetwork,
            "disable-public-ips": workers.no_public_ips,
            "dataflow-kms-key": workers.kms_key,
            "additional-user-labels": workers.labels,
            "additional-experiments": [AT_LEAST_ONCE] if workers.at_least_once else None,
            "enable-streaming-engine": to.streaming,  # else gcloud asks for a job without it
            "update": self.update,
            "transform-name-mappings": names,
        }
        # A switch has no value.
        return {
            f"--{name}": None if value is True else value for name, value in flags.items() if value
        }

    def _launch_image(self, names: Mapping[str, str]) -> str:
        try:
            ended = subprocess.run(self._program(names), timeout=LAUNCH_SECONDS)
        except subprocess.TimeoutExpired:
            raise StepFailed(f"the launch did not finish within {LAUNCH_SECONDS} s") from None
        if ended.returncode:
            raise StepFailed("the launch failed; see the output above")
        return "launched"

    def _program(self, names: Mapping[str, str]) -> list[str]:
        from pipeline.launch.dataflow import (
            AT_LEAST_ONCE,  # here: it brings Beam, which takes seconds
        )

        to, workers = self.deployment, self.deployment.workers
        options = {
            "runner": "DataflowRunner",
            "project": to.project,
            "region": to.region,
            "job_name": to.name,
            "service_account_email": to.worker_account,
            "staging_location": f"gs://{to.bucket}/staging",
            "temp_location": f"gs://{to.bucket}/temp",
            "sdk_container_image": to.image,
            "max_num_workers": workers.max_workers,
            "num_workers": workers.num_workers,
            "machine_type": workers.machine_type,
            "network": workers.network,
            "subnetwork": workers.subnetwork,
            "dataflow_kms_key": workers.kms_key,
            "labels": json.dumps(workers.labels) if workers.labels else None,
            "dataflow_service_options": AT_LEAST_ONCE if workers.at_least_once else None,
            "transform_name_mapping": json.dumps(names) if names else None,
            **to.parameters,
        }
        switches = {"--no_use_public_ips": workers.no_public_ips, "--update": self.update}
        return [
            *(sys.executable, "-m", "pipeline.main"),
            *(f"--{name}={value}" for name, value in options.items() if value),
            *(switch for switch, on in switches.items() if on),
            *to.pipeline_options,
        ]

"""The running job: found, described, drained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claims_ops.deployment.gcloud import Command, Gcloud, StepFailed
from claims_ops.deployment.names import Deployment

RUNNING, DRAINING = "Running", "Draining"  # states, as gcloud prints them


@dataclass(frozen=True, slots=True)
class Job:
    """The job of a deployment: its commands, and what they return."""

    deployment: Deployment
    gcloud: Gcloud

    @property
    def list_active(self) -> Command:
        """Lists the jobs with our name that have not ended."""
        where = (f"--region={self.deployment.region}", "--status=active")
        return ("dataflow", "jobs", "list", *where, f"--filter=name={self.deployment.name}")

    def active(self) -> Mapping[str, Any] | None:
        """The running or draining job, if there is one: `id`, `state`."""
        listed = self.gcloud.read(self.list_active) or ()
        # The filter is for short answers; this decides.
        return next((job for job in listed if job["name"] == self.deployment.name), None)

    def describe(self, job_id: str) -> Command:
        """Describes a job."""
        where = f"--region={self.deployment.region}"
        return ("dataflow", "jobs", "describe", job_id, where, "--full")

    def drain(self, job_id: str) -> Command:
        """Lets a job finish what it has read, and read no more."""
        return ("dataflow", "jobs", "drain", job_id, f"--region={self.deployment.region}")

    def bound(self, job_id: str, bounds: tuple[int, int]) -> Command:
        """Lets a job have this many workers, from the least to the most."""
        least, most = (
            f"--{name}-num-workers={n}" for name, n in zip(("min", "max"), bounds, strict=True)
        )
        where = f"--region={self.deployment.region}"
        return ("dataflow", "jobs", "update-options", job_id, where, least, most)


def bounded(job: Job, bounds: tuple[int, int]) -> str:
    """Change the bounds of the running job's workers, and return what happens now.

    Raises:
        StepFailed: no job is running, or Dataflow refuses.
    """
    running = job.active()
    if running is None or running["state"] != RUNNING:
        raise StepFailed(
            f"the job {job.deployment.name} is not running; launch it with --max-workers"
        )
    job.gcloud.run(job.bound(running["id"], bounds))
    return (
        f"{running['id']} will scale between {bounds[0]} and {bounds[1]} workers; the change takes"
        " effect within a few minutes"
    )


def drained(job: Job) -> str:
    """Drain the job, and return what happens now.

    Raises:
        StepFailed: Dataflow refuses.
    """
    running = job.active()
    if running is None:
        return f"the job {job.deployment.name} is not running, so there is nothing to drain"
    if running["state"] != DRAINING:
        job.gcloud.run(job.drain(running["id"]))
    return f"{running['id']} is draining: it finishes what it has read, then stops"

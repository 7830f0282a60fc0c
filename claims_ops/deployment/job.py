"""The running job: found, described, drained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claims_ops.deployment.gcloud import Command, Gcloud
from claims_ops.deployment.names import Deployment

RUNNING, DRAINING = "Running", "Draining"  # as gcloud tells the state


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of the job of a deployment."""

    deployment: Deployment
    gcloud: Gcloud

    @property
    def list_active(self) -> Command:
        """Asks for the job of our name that has not ended."""
        where = (f"--region={self.deployment.region}", "--status=active")
        return ("dataflow", "jobs", "list", *where, f"--filter=name={self.deployment.name}")

    def active(self) -> Mapping[str, Any] | None:
        """The running or draining job, if there is one: `id`, `state`."""
        listed = self.gcloud.read(self.list_active) or ()
        # The filter is for short answers; this decides.
        return next((job for job in listed if job["name"] == self.deployment.name), None)

    def describe(self, job_id: str) -> Command:
        """Asks for all that is known of a job."""
        where = f"--region={self.deployment.region}"
        return ("dataflow", "jobs", "describe", job_id, where, "--full")

    def drain(self, job_id: str) -> Command:
        """Lets a job finish what it has taken, and take no more."""
        return ("dataflow", "jobs", "drain", job_id, f"--region={self.deployment.region}")


def drained(job: Job) -> str:
    """Drain the job, and say what is happening.

    Raises:
        StepFailed: Dataflow refuses.
    """
    running = job.active()
    if running is None:
        return f"no job {job.deployment.name} is running: nothing to drain"
    if running["state"] != DRAINING:
        job.gcloud.run(job.drain(running["id"]))
    return f"{running['id']} is draining: it takes no more messages, and ends when all are written"

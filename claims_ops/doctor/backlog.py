"""Whether the job keeps up, by what Cloud Monitoring knows of the subscription."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from claims_ops.doctor.finding import Check, Once, Unknown, Verdict, failed, passed
from claims_ops.doctor.setup import Setup
from claims_ops.shared.counted import counted

if TYPE_CHECKING:
    from google.cloud.monitoring_v3 import ListTimeSeriesRequest

OLD_SECONDS = 600
"""As in monitoring/alerts/oldest_unacked.json."""
_LOOK_BACK_SECONDS = 600  # metrics come once a minute, some minutes late
METRICS = ("num_undelivered_messages", "oldest_unacked_message_age")


def check(setup: Setup, name: str, active: "Once[Mapping[str, Any] | None]") -> Check:
    """Of the subscription `name`."""
    where = f"https://console.cloud.google.com/cloudpubsub/subscription/detail/{_id(name)}"
    by_hand = f"python -m webbrowser '{where}?project={_project(name)}'"
    return Check("backlog", name, lambda: _verdict(setup, name, active), by_hand)


def _verdict(setup: Setup, name: str, active: "Once[Mapping[str, Any] | None]") -> Verdict:
    if "pubsub" in setup.local:
        raise Unknown("not reported by the emulator")
    messages, age_seconds = (_asked(setup, name, metric) for metric in METRICS)
    return judged(messages, age_seconds, active, lambda job_id: _more_workers(setup, job_id))


def judged(
    messages: int,
    age_seconds: int,
    active: "Once[Mapping[str, Any] | None]",
    fix: Callable[[str], str],
) -> Verdict:
    """What waits; before a job runs, it may wait for long."""
    message = f"{counted(messages, 'message')} waiting, the oldest for {age_seconds:,} s"
    if age_seconds <= OLD_SECONDS:
        return passed(message)
    running = active()
    if running is None:
        return passed(f"{message}; no job is reading them yet")
    return failed(message, fix(running["id"]))


def _asked(setup: Setup, name: str, metric: str) -> int:
    from google.cloud.monitoring_v3 import MetricServiceClient

    client = MetricServiceClient(credentials=setup.credentials("monitoring"))
    query = request(name, metric, int(time.time()))
    return latest(client.list_time_series(query, timeout=setup.seconds, retry=None), metric)


def request(name: str, metric: str, now: int) -> "ListTimeSeriesRequest":
    """Asks for the last minutes of a metric of a subscription; `now` is in Unix seconds."""
    from google.cloud.monitoring_v3 import ListTimeSeriesRequest

    return ListTimeSeriesRequest(
        name=f"projects/{_project(name)}",
        filter=f'metric.type = "pubsub.googleapis.com/subscription/{metric}"'
        f' AND resource.labels.subscription_id = "{_id(name)}"',
        interval={
            "start_time": {"seconds": now - _LOOK_BACK_SECONDS},
            "end_time": {"seconds": now},
        },
    )


def latest(series: Any, metric: str) -> int:
    """The newest point of a metric.

    Raises:
        Unknown: there is none.
    """
    for one in series:
        for point in one.points:  # the newest first
            return int(point.value.int64_value)
    raise Unknown(f"Cloud Monitoring has no recent data for {metric}")


def _more_workers(setup: Setup, job_id: str) -> str:
    from pipeline.launch.dataflow import MAX_WORKERS

    most = 2 * (setup.to.workers.max_workers or MAX_WORKERS)
    more = ("dataflow", "jobs", "update-options", job_id, f"--region={setup.to.region}")
    return setup.gcloud.shown((*more, f"--max-num-workers={most}"))


def _project(name: str) -> str:
    return name.split("/")[1]


def _id(name: str) -> str:
    return name.rpartition("/")[2]

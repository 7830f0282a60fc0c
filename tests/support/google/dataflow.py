"""A stand-in for Dataflow: launches of Flex Templates, and the jobs that come of them."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.support.google.google_apis import ApiError, Call
from tests.support.google.storage import Storage

FILTERS = ("UNKNOWN", "ALL", "TERMINATED", "ACTIVE")
ACTIVE = ("JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_DRAINING")


class Dataflow:
    """Keeps jobs; a launched one stays queued, for no worker ever starts."""

    api = "dataflow.v1b3"

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.jobs: dict[str, dict[str, Any]] = {}
        prefix = "dataflow.projects.locations"
        self.answers: dict[str, Callable[[Call], Any]] = {
            f"{prefix}.flexTemplates.launch": self._launch,
            f"{prefix}.jobs.create": self._create,
            f"{prefix}.jobs.list": self._list,
            f"{prefix}.jobs.get": self._get,
            f"{prefix}.jobs.update": self._update,
        }

    def active(self, name: str) -> list[dict[str, Any]]:
        """The jobs of that name that have not ended."""
        return [
            job
            for job in self.jobs.values()
            if job["name"] == name and job["currentState"] in ACTIVE
        ]

    def _launch(self, call: Call) -> Any:
        asked = call.body["launchParameter"]
        check_parameters(self.spec(asked), asked.get("parameters", {}))
        name, running = asked["jobName"], self.active(asked["jobName"])
        if running and not asked.get("update"):
            raise ApiError(409, "ALREADY_EXISTS", f"There is already an active job named {name}.")
        if asked.get("update") and not running:
            raise ApiError(404, "NOT_FOUND", f"No running job is named {name}.")
        for replaced in running:
            replaced["currentState"] = "JOB_STATE_UPDATED"
        identity = f"2026-01-01_00_00_00-{len(self.jobs) + 1}"
        self.jobs[identity] = {
            "id": identity,
            "projectId": call.names["projectId"],
            "location": call.names["location"],
            "name": name,
            "currentState": "JOB_STATE_QUEUED",
            "currentStateTime": "2026-01-01T00:00:00Z",
            "createTime": "2026-01-01T00:00:00Z",
        }
        return {"job": self.jobs[identity]}

    def _create(self, call: Call) -> Any:
        identity = f"2026-01-01_00_00_00-{len(self.jobs) + 1}"
        place = {"id": identity, "projectId": call.names["projectId"]}
        place |= {"location": call.names["location"], "currentState": "JOB_STATE_QUEUED"}
        self.jobs[identity] = call.body | place
        return self.jobs[identity]

    def spec(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The template that a launch asks for."""
        try:
            return dict(json.loads(self.storage.read(asked["containerSpecGcsPath"])))
        except FileNotFoundError as missing:
            raise ApiError(404, "NOT_FOUND", f"No such template: {missing}") from None

    def _list(self, call: Call) -> Any:
        wanted = call.query.get("filter", "ALL")
        wanted = FILTERS[int(wanted)] if wanted.isdigit() else wanted  # as Google's clients say it
        shown = [
            job
            for job in self.jobs.values()
            if wanted in ("ALL", "UNKNOWN")
            or (job["currentState"] in ACTIVE) == (wanted == "ACTIVE")
        ]
        return {"jobs": shown}

    def _get(self, call: Call) -> Any:
        if call.names["jobId"] not in self.jobs:
            raise ApiError(404, "NOT_FOUND", f"No job {call.names['jobId']}.")
        return self.jobs[call.names["jobId"]]

    def _update(self, call: Call) -> Any:
        job = self._get(call)
        if bounds := call.body.get("runtimeUpdatableParams"):
            job["runtimeUpdatableParams"] = bounds
            return job
        asked = call.body["requestedState"]
        reached = {"JOB_STATE_DRAINED": "JOB_STATE_DRAINING"}.get(asked, asked)
        job["currentState"] = reached
        return job


def check_parameters(spec: dict[str, Any], given: dict[str, str]) -> None:
    """Refuse the parameters that the service refuses, by the template's metadata."""
    declared = {each["name"]: each for each in spec["metadata"]["parameters"]}
    wrong = [f"{name}: Unrecognized parameter" for name in given.keys() - declared.keys()]
    for name, parameter in declared.items():
        if name not in given:
            if not parameter.get("isOptional"):
                wrong.append(f"{name}: Missing required parameter")
            continue
        for regex in parameter.get("regexes", ()):
            if not re.fullmatch(regex.removeprefix("^").removesuffix("$"), given[name]):
                wrong.append(f"{name}: Unmatched regex")
    if wrong:
        reason = f"The template parameters are invalid. Details: {'; '.join(sorted(wrong))}"
        raise ApiError(400, "INVALID_ARGUMENT", reason)

"""A stand-in for Cloud Build: takes builds, resolves them, and calls them done."""

from collections.abc import Callable
from typing import Any

from tests.support.google import build_config
from tests.support.google.google_apis import ApiError, Call


class CloudBuild:
    """`builds` are those that were taken, with every substitution made."""

    api = "cloudbuild.v1"

    def __init__(self) -> None:
        self.builds: dict[str, dict[str, Any]] = {}
        prefix = "cloudbuild.projects.locations.builds"
        self.answers: dict[str, Callable[[Call], Any]] = {
            f"{prefix}.create": self._create,
            f"{prefix}.get": self._get,
        }

    def _create(self, call: Call) -> Any:
        if wrong := build_config.mistakes(call.body):
            raise ApiError(400, "INVALID_ARGUMENT", f"invalid build: {'; '.join(wrong)}")
        project, location = call.names["projectsId"], call.names["locationsId"]
        identity = f"00000000-0000-0000-0000-{len(self.builds):012}"
        build = build_config.resolve(call.body)
        self.builds[identity] = build | {
            "id": identity,
            "projectId": project,
            "name": f"projects/{project}/locations/{location}/builds/{identity}",
            "status": "SUCCESS",
            "createTime": "2026-01-01T00:00:00Z",
            "logUrl": "https://console.cloud.google.com/cloud-build",
        }
        kind = "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata"
        return {
            "name": f"projects/{project}/locations/{location}/operations/{identity}",
            "metadata": {"@type": kind, "build": self.builds[identity]},
        }

    def _get(self, call: Call) -> Any:
        if call.names["buildsId"] not in self.builds:
            raise ApiError(404, "NOT_FOUND", f"No build {call.names['buildsId']}.")
        return self.builds[call.names["buildsId"]]

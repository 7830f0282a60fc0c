"""A stand-in for Artifact Registry: repositories, and the images that a builder pushed."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.google.google_apis import ApiError, Call


class ArtifactRegistry:
    """`pushed` gives the digests of the images by name and tag."""

    api = "artifactregistry.v1"

    def __init__(self, pushed: Callable[[], Mapping[str, str]]) -> None:
        self.pushed = pushed
        self.repositories: dict[str, dict[str, Any]] = {}
        prefix = "artifactregistry.projects.locations.repositories"
        self.answers: dict[str, Callable[[Call], Any]] = {
            f"{prefix}.get": self._get,
            f"{prefix}.create": self._create,
            f"{prefix}.packages.tags.list": self._tags,
        }

    def _get(self, call: Call) -> Any:
        name = _repository(call.names, call.names["repositoriesId"])
        if name not in self.repositories:
            raise ApiError(404, "NOT_FOUND", f"No repository {name}.")
        return self.repositories[name]

    def _create(self, call: Call) -> Any:
        name = _repository(call.names, call.query["repositoryId"])
        if name in self.repositories:
            raise ApiError(409, "ALREADY_EXISTS", f"{name} exists.")
        self.repositories[name] = call.body | {"name": name}
        parent, _, identity = name.partition("/repositories/")
        return {"name": f"{parent}/operations/{identity}", "done": True, "response": {}}

    def _tags(self, call: Call) -> Any:
        names = call.names
        repository = _repository(names, names["repositoriesId"])
        self._get(call)
        asked = re.fullmatch(
            rf'name="{repository}/packages/{names["packagesId"]}/tags/([^/"*]+)"',
            call.query.get("filter", ""),
        )
        assert asked, "only a filter by the name of one tag is known here"
        project = names["projectsId"].replace(":", "/")
        path = f"{project}/{names['repositoriesId']}/{names['packagesId']}:{asked[1]}"
        digest = self.pushed().get(f"{names['locationsId']}-docker.pkg.dev/{path}")
        package = f"{repository}/packages/{names['packagesId']}"
        tag = {"name": f"{package}/tags/{asked[1]}", "version": f"{package}/versions/{digest}"}
        return {"tags": [tag] if digest else []}


def _repository(names: Mapping[str, str], repository: str) -> str:
    return (
        f"projects/{names['projectsId']}/locations/{names['locationsId']}/repositories/{repository}"
    )

"""The Terraform module, evaluated for given variables: no Terraform, no provider, no network.

tfparse is Trivy's evaluator, with HashiCorp's own parser of HCL. What only Google knows is made up
here as Google would name it. A name that nothing declares is a mistake.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfparse import load_from_path

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "terraform"
NUMBER = "PROJECT_NUMBER"
# Arguments of Terraform itself, and what tfparse adds.
_META = {"__tfmeta", "count", "depends_on", "for_each", "id", "lifecycle", "provider"}


@dataclass(frozen=True)
class Resource:
    """One resource that an apply would make."""

    address: str
    """`google_pubsub_topic.claims["claims"]`."""
    arguments: Mapping[str, Any]
    refusals: tuple[str, ...]
    """Messages of its preconditions that do not hold."""

    @property
    def type(self) -> str:
        return self.address.partition(".")[0]


class Evaluated:
    """A folder of Terraform as evaluated for some variables."""

    def __init__(self, folder: Path, variables: Mapping[str, Any], scratch: Path) -> None:
        """`scratch` is a folder that takes the file of the variables."""
        file = scratch / "given.tfvars"
        # An assignment takes a value of JSON, but for the templates in its strings.
        lines = (f"{name} = {json.dumps(value)}" for name, value in variables.items())
        file.write_text("\n".join(lines).replace("${", "$${").replace("%{", "%%{") + "\n")
        place = os.path.relpath(file, folder)
        self.blocks = load_from_path(str(folder), stop_on_hcl_error=True, vars_paths=[place])
        self.variables = {block["__tfmeta"]["label"]: block for block in self._of("variable")}
        self._by_id = {
            block["id"]: block for kind in self.blocks for block in self._of(kind) if "id" in block
        }

    @property
    def refused(self) -> dict[str, str]:
        """Variables whose value their validation refuses, with its message."""
        validations = {name: block.get("validation") for name, block in self.variables.items()}
        return {
            name: each["error_message"]
            for name, each in validations.items()
            if each and each["condition"] is not True
        }

    def resources(self, kind: str = "google_") -> list[Resource]:
        """Those of a type, or of all types that begin so."""
        kinds = (each for each in self.blocks if each.startswith(kind))
        return [self._resource(block) for each in kinds for block in self._of(each)]

    def outputs(self) -> dict[str, Any]:
        """Values of the outputs."""
        blocks = self._of("output")
        return {
            block["__tfmeta"]["label"]: self._value(block.get("value"), "output")
            for block in blocks
        }

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return self.blocks.get(kind, [])

    def _resource(self, block: Mapping[str, Any]) -> Resource:
        address = block["__tfmeta"]["path"]
        conditions = (block.get("lifecycle") or {}).get("precondition", [])
        conditions = conditions if isinstance(conditions, list) else [conditions]
        refusals = tuple(each["error_message"] for each in conditions if not each["condition"])
        return Resource(address, self._value(_arguments(block), address), refusals)

    def _value(self, value: Any, place: str) -> Any:
        """A value with what it refers to in its place."""
        if isinstance(value, list):
            return [self._value(each, place) for each in value]
        if isinstance(value, dict) and "__attribute__" in value:
            return self._referred(value["__attribute__"], place)
        if isinstance(value, dict):
            inner = _arguments(value).items()
            return {key: self._value(each, f"{place}.{key}") for key, each in inner}
        if isinstance(value, str) and value in self._by_id:
            found = self._by_id[value]
            return f"projects/{found['project']}/topics/{found['name']}"
        return value

    def _referred(self, attribute: str, place: str) -> Any:
        if found := re.fullmatch(r"var\.(\w+)", attribute):
            assert found[1] in self.variables, f"{place}: there is no {attribute}"
            return None
        found = re.fullmatch(r"(\w+)\.(\w+)\.(?:\[0\]\.)?(\w+)", attribute)
        assert found, f"{place}: {attribute} is nothing that an apply knows"
        kind, name, exported = found.groups()
        blocks = [each for each in self._of(kind) if _is_named(each, name)]
        assert blocks, f"{place}: there is no {kind}.{name}"
        email = _email(kind, blocks[0])
        known = {"email": email, "member": f"serviceAccount:{email}"}
        assert exported in known, f"{place}: {attribute} is not among what is known"
        return known[exported]


def _arguments(block: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name not in _META}


def _is_named(block: Mapping[str, Any], name: str) -> bool:
    return re.split(r"[.\[]", block["__tfmeta"]["path"])[1] == name


def _email(kind: str, block: Mapping[str, Any]) -> str:
    if kind == "google_project_service_identity":
        service = block["service"].removesuffix(".googleapis.com")
        return f"service-{NUMBER}@gcp-sa-{service}.iam.gserviceaccount.com"
    domain, _, project = block["project"].rpartition(":")
    inside = f"{project}.{domain}" if domain else project
    return f"{block['account_id']}@{inside}.iam.gserviceaccount.com"


def unset(arguments: Mapping[str, Any], place: str) -> Iterator[str]:
    """Paths of arguments that have no value: left out, or a mistake in their expression."""
    for name, value in arguments.items():
        if value is None:
            yield f"{place}.{name}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from unset(each, f"{place}.{name}")

"""Google's own descriptions of its REST APIs, read strictly.

They are the discovery documents that google-api-python-client bundles. A field that a document
does not know, a wrong type or an unknown enum value is a mistake here, as it is for the service.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import googleapiclient
import jsonschema

_DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache/documents"


class Mismatch(Exception):
    """Something is not as the discovery document says: where, and how."""


@dataclass(frozen=True)
class Method:
    """One method of an API."""

    id: str
    """As `dataflow.projects.locations.flexTemplates.launch`."""
    verb: str
    path: re.Pattern[str]
    query: frozenset[str]
    """The parameters that may stand behind the question mark."""
    request: str | None
    """Name of the schema of the body; None means that there is none."""
    response: str | None


class Api:
    """One API in one version, as `dataflow.v1b3`."""

    def __init__(self, name: str) -> None:
        self.name = name
        document = json.loads((_DOCUMENTS / f"{name}.json").read_text())
        self.service_path: str = document["servicePath"]
        common = frozenset(document.get("parameters", ()))
        # The longest path first: `{topic}` would match `t:getIamPolicy` too.
        self.methods = sorted(
            _methods(document, self.service_path, common), key=lambda m: -len(m.path.pattern)
        )
        self._definitions = {
            key: _strict(schema) for key, schema in document.get("schemas", {}).items()
        }

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]]:
        """The method that a request means, and the names in its path.

        Raises:
            Mismatch: there is none.
        """
        for method in self.methods:
            if method.verb == verb and (match := method.path.fullmatch(path)):
                return method, {key: unquote(value) for key, value in match.groupdict().items()}
        raise Mismatch(f"{self.name} has no {verb} {path}")

    def schema(self, name: str) -> dict[str, Any]:
        """A strict JSON Schema of one of the API's types."""
        return {"$ref": f"#/$defs/{name}", "$defs": self._definitions}

    def check(self, name: str, value: Any) -> None:
        """Check that `value` is a `name`, as `Job`.

        Raises:
            Mismatch: says every place that is not.
        """
        validator = jsonschema.Draft202012Validator(self.schema(name))
        if wrong := [
            f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)
        ]:
            raise Mismatch(f"not a {name} of {self.name}: " + "; ".join(wrong))


@cache
def api(name: str) -> Api:
    """The API of that name, read once."""
    return Api(name)


def _methods(node: dict[str, Any], service_path: str, common: frozenset[str]) -> list[Method]:
    found = []
    for declared in node.get("methods", {}).values():
        path = service_path + declared.get("flatPath", declared["path"])
        query = {
            name
            for name, parameter in declared.get("parameters", {}).items()
            if parameter["location"] == "query"
        }
        found.append(
            Method(
                declared["id"],
                declared["httpMethod"],
                _pattern(path),
                common | query,
                declared.get("request", {}).get("$ref"),
                declared.get("response", {}).get("$ref"),
            )
        )
    for resource in node.get("resources", {}).values():
        found += _methods(resource, service_path, common)
    return found


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"\{\+?(\w+)\}", path)
    return re.compile(
        "".join(
            f"(?P<{piece}>[^/]+)" if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )
    )


def _strict(node: dict[str, Any]) -> dict[str, Any]:
    """A node of a discovery document as a JSON Schema that takes no unknown property."""
    if "$ref" in node:
        return {"$ref": f"#/$defs/{node['$ref']}"}
    if "enum" in node:  # Google's own clients send the numbers
        return {"anyOf": [{"enum": node["enum"]}, {"type": "integer"}]}
    strict: dict[str, Any] = {"type": node["type"]} if node.get("type", "any") != "any" else {}
    if "items" in node:
        strict["items"] = _strict(node["items"])
    if node.get("type") == "object":
        strict["properties"] = {
            key: _strict(value) for key, value in node.get("properties", {}).items()
        }
        more = node.get("additionalProperties")
        strict["additionalProperties"] = _strict(more) if more else False
    return strict

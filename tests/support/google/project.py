"""A stand-in for a project: the resources of several services, by name, and who may do what."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.google.google_apis import ApiError, Call

NUMBER = "123456789012"
Answer = Callable[[Call], Any]


class Resources:
    """One service: keeps what is created, and refuses what is there or is not."""

    def __init__(self, api: str, project: "Project") -> None:
        self.api = api
        self.project = project
        self.kept: dict[str, Any] = {}
        self.answers: dict[str, Answer] = {}

    def name(self, call: Call) -> str:
        """The last name in the path of the request."""
        return list(call.names.values())[-1]

    def get(self, call: Call) -> Any:
        name = self.name(call)
        if name not in self.kept:
            raise ApiError(404, "NOT_FOUND", f"Resource not found (resource={name}).")
        return self.kept[name]

    def keep(self, name: str, created: Any, method: str = "") -> Any:
        if failure := self.project.failures.pop(method, None):
            raise failure
        if name in self.kept:
            raise ApiError(409, "ALREADY_EXISTS", f"{name} exists.")
        self.kept[name] = created
        return created

    def get_policy(self, call: Call) -> Any:
        self.get(call)
        return self.project.policies.get(self.name(call), {})

    def set_policy(self, call: Call) -> Any:
        self.get(call)
        policy = call.body.get("policy", call.body)
        for binding in policy["bindings"]:
            for member in binding["members"]:
                self.project.know(member.removeprefix("serviceAccount:"))
        self.project.policies[self.name(call)] = policy
        return policy

    def policies(self, prefix: str) -> None:
        self.answers[f"{prefix}.getIamPolicy"] = self.get_policy
        self.answers[f"{prefix}.setIamPolicy"] = self.set_policy


class PubSub(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("pubsub.v1", project)
        for kind in ("topics", "subscriptions"):
            prefix = f"pubsub.projects.{kind}"
            self.answers |= {f"{prefix}.get": self.get, f"{prefix}.create": self.create}
            self.policies(prefix)

    def name(self, call: Call) -> str:
        kind = "topics" if "topicsId" in call.names else "subscriptions"
        return f"projects/{call.names['projectsId']}/{kind}/{call.names[f'{kind}Id']}"

    def create(self, call: Call) -> Any:
        topic = call.body.get("topic")
        if topic and topic not in self.kept:
            raise ApiError(404, "NOT_FOUND", f"Resource not found (resource={topic}).")
        return self.keep(self.name(call), call.body | {"name": self.name(call)})


class Accounts(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("iam.v1", project)
        prefix = "iam.projects.serviceAccounts"
        self.answers |= {f"{prefix}.get": self.get, f"{prefix}.create": self.create}

    def create(self, call: Call) -> Any:
        email = f"{call.body['accountId']}@{call.names['projectsId']}.iam.gserviceaccount.com"
        account = {"email": email, "name": f"projects/-/serviceAccounts/{email}"}
        return self.keep(email, account, call.method)


class ResourceManager(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("cloudresourcemanager.v1", project)
        self.kept[project.id] = {"projectId": project.id, "projectNumber": NUMBER}
        self.answers["cloudresourcemanager.projects.get"] = self.get
        self.policies("cloudresourcemanager.projects")


class Repositories(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("artifactregistry.v1", project)
        self.kept["claims"] = {}
        self.pushed: list[str] = []
        """Tags of the image."""
        self.policies("artifactregistry.projects.locations.repositories")
        self.answers["artifactregistry.projects.locations.repositories.packages.tags.list"] = (
            self.tags
        )

    def tags(self, call: Call) -> Any:
        places = ("projects", "locations", "repositories", "packages")
        package = "/".join(f"{each}/{call.names[f'{each}Id']}" for each in places)
        version = f"{package}/versions/sha256:{'0' * 64}"
        return {
            "tags": [{"name": f"{package}/tags/{tag}", "version": version} for tag in self.pushed]
        }


class Compute(Resources):
    """Compute Engine: regions with their quotas, networks, subnetworks."""

    def __init__(self, project: "Project") -> None:
        super().__init__("compute.v1", project)
        for kind in ("regions", "networks", "subnetworks"):
            self.answers[f"compute.{kind}.get"] = self.get
        self.routes: list[dict[str, Any]] = []
        self.answers["compute.routes.list"] = lambda call: {"items": self.routes}

    def get(self, call: Call) -> Any:
        name = self.name(call)
        if name not in self.kept:
            message = f"The resource 'projects/{self.project.id}/{name}' was not found"
            raise ApiError(404, "NOT_FOUND", message)
        return self.kept[name]


class Dns(Resources):
    """Cloud DNS: the zones that exist."""

    def __init__(self, project: "Project") -> None:
        super().__init__("dns.v1", project)
        self.zones: list[dict[str, Any]] = []
        self.answers["dns.managedZones.list"] = lambda call: {"managedZones": self.zones}


class Secrets(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("secretmanager.v1", project)
        self.kept["claims-pseudonyms"] = {}
        self.policies("secretmanager.projects.secrets")


class ServiceUsage(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("serviceusage.v1", project)
        self.answers["serviceusage.services.list"] = self.list
        self.answers["serviceusage.services.batchEnable"] = self.enable
        self.answers["serviceusage.services.enable"] = self.enable_one

    def list(self, call: Call) -> Any:
        assert call.query["filter"] == "state:ENABLED"
        return {"services": [{"config": {"name": name}} for name in self.kept]}

    def enable(self, call: Call) -> Any:
        self.kept |= dict.fromkeys(call.body["serviceIds"])
        return {"name": "operations/noop.DONE_OPERATION", "done": True, "response": {}}

    def enable_one(self, call: Call) -> Any:
        self.kept[call.names["servicesId"]] = None
        return {"name": "operations/noop.DONE_OPERATION", "done": True, "response": {}}


class Buckets(Resources):
    """Cloud Storage: buckets, and of objects only those that were put in here."""

    def __init__(self, project: "Project") -> None:
        super().__init__("storage.v1", project)
        self.objects: dict[str, bytes] = {}
        self.answers |= {
            "storage.buckets.get": self.get,
            "storage.buckets.insert": self.create,
            "storage.objects.get": self.get_object,
        }
        self.policies("storage.buckets")

    def create(self, call: Call) -> Any:
        told = {"location": call.body["location"].upper()}
        return self.keep(call.body["name"], call.body | told)

    def get_object(self, call: Call) -> Any:
        address = f"gs://{call.names['bucket']}/{call.names['object']}"
        if address not in self.objects:
            raise ApiError(404, "NOT_FOUND", f"No such object: {address}")
        return {"bucket": call.names["bucket"], "name": call.names["object"], "generation": "1"}

    def read(self, address: str) -> bytes:
        """For the stand-in of Dataflow, which reads templates."""
        if address not in self.objects:
            raise FileNotFoundError(address)
        return self.objects[address]


class BigQuery(Resources):
    def __init__(self, project: "Project") -> None:
        super().__init__("bigquery.v2", project)
        self.answers |= {
            "bigquery.datasets.get": self.get,
            "bigquery.datasets.insert": self.create,
            "bigquery.datasets.patch": self.patch,
        }

    def create(self, call: Call) -> Any:
        name = call.body["datasetReference"]["datasetId"]
        return self.keep(name, {"access": [], "etag": "1"} | call.body)

    def patch(self, call: Call) -> Any:
        dataset = self.get(call)
        for entry in call.body["access"]:
            self.project.know(entry["userByEmail"])
        # The names that roles had before IAM are those that BigQuery tells.
        told = [
            entry | {"role": entry["role"].replace("roles/bigquery.dataEditor", "WRITER")}
            for entry in call.body["access"]
        ]
        dataset |= {"access": told, "etag": str(int(dataset["etag"]) + 1)}
        return dataset


class Project:
    """All of them."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.policies: dict[str, Any] = {}
        """By resource: its IAM policy."""
        self.unsettled: list[str] = []
        """Accounts that are not known yet; each entry is forgotten once it has been told."""
        self.failures: dict[str, ApiError] = {}
        """By method: what it answers the next time."""
        self.storage = Buckets(self)
        self.bigquery = BigQuery(self)
        self.pubsub = PubSub(self)
        self.service_usage = ServiceUsage(self)
        self.accounts = Accounts(self)
        self.repositories = Repositories(self)
        self.compute = Compute(self)
        self.dns = Dns(self)
        self.services: tuple[Resources, ...] = (
            *(self.storage, self.bigquery, self.pubsub, self.accounts, self.service_usage),
            *(ResourceManager(self), self.repositories, self.compute, self.dns, Secrets(self)),
        )

    def know(self, email: str) -> None:
        """Refuse an account that is not known yet, as services do for some seconds."""
        if email in self.unsettled:
            self.unsettled.remove(email)
            message = f"Service account {email} does not exist."
            raise ApiError(400, "INVALID_ARGUMENT", message)

    def state(self) -> str:
        """All that is kept, as a text to compare."""
        kept: Mapping[str, Any] = {each.api: each.kept for each in self.services}
        return json.dumps([kept, self.policies], sort_keys=True)

    def roles(self) -> dict[str, list[str]]:
        """Who has which roles, as `resource: role`."""
        held: dict[str, list[str]] = {}
        for resource, policy in self.policies.items():
            for binding in policy["bindings"]:
                for member in binding["members"]:
                    held.setdefault(member, []).append(f"{resource}: {binding['role']}")
        return {member: sorted(roles) for member, roles in held.items()}

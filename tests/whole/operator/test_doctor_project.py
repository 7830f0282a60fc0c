"""`claims doctor` with the real gcloud, in a project that claims deploy has made."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from claims_ops.deployment.plan import SERVICES
from claims_ops.main import main
from tests.support.google.dataflow import Dataflow
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import ApiError, Call, GoogleApis, google_apis
from tests.support.google.project import NUMBER, Project
from tests.support.google.storage import Storage

ROOT = Path(__file__).parents[3]
IMAGE = f"us-central1-docker.pkg.dev/{PROJECT}/claims/claims:v1"
WORKER = f"claims-workers@{PROJECT}.iam.gserviceaccount.com"
PUBSUB = f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/claims"
DEAD_LETTERS = f"projects/{PROJECT}/topics/claims-dead-letter"
ROLES = {
    PROJECT: {"dataflow.worker": WORKER, "dataflow.viewer": WORKER},
    "claims": {"artifactregistry.reader": WORKER},
    SUBSCRIPTION: {"pubsub.viewer": WORKER, "pubsub.subscriber": f"{WORKER} {PUBSUB}"},
    DEAD_LETTERS: {"pubsub.publisher": PUBSUB},
}
ASKED = (
    *("apis", "bucket", "template", "image", "account", "roles"),
    *("region", "network", "quota", "job"),
)
Doctor = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture
def bucket(storage: Storage) -> str:
    """With the template."""
    name = storage.new_bucket()
    metadata = json.loads((ROOT / "metadata.json").read_text())
    spec = json.dumps({"image": IMAGE, "metadata": metadata})
    storage.write(f"gs://{name}/templates/claims/latest.json", spec.encode())
    return name


@pytest.fixture
def project(bucket: str) -> Project:
    """In which nothing is missing."""
    project = Project(PROJECT)
    project.storage.kept[bucket] = {"name": bucket}
    project.service_usage.kept |= dict.fromkeys(SERVICES)
    project.accounts.kept[WORKER] = {"email": WORKER}
    project.repositories.pushed.append("v1")
    project.bigquery.kept["claims"] = {
        "datasetReference": {"projectId": PROJECT, "datasetId": "claims"},
        "access": [{"role": "WRITER", "userByEmail": WORKER}],
    }
    for name in (SUBSCRIPTION, DEAD_LETTERS):
        project.pubsub.kept[name] = {"name": name}
    for resource, roles in {**ROLES, bucket: {"storage.objectAdmin": WORKER}}.items():
        project.policies[resource] = {
            "bindings": [
                {
                    "role": f"roles/{role}",
                    "members": [f"serviceAccount:{each}" for each in members.split()],
                }
                for role, members in roles.items()
            ]
        }
    quotas = [
        {"metric": "CPUS", "limit": 72.0, "usage": 0.0},
        {"metric": "IN_USE_ADDRESSES", "limit": 16.0, "usage": 0.0},
    ]
    project.compute.kept |= {
        "us-central1": {"name": "us-central1", "status": "UP", "quotas": quotas},
        "default": {"name": "default"},
    }
    return project


@pytest.fixture
def dataflow(project: Project) -> Dataflow:
    return Dataflow(project.storage)


@pytest.fixture
def apis(project: Project, dataflow: Dataflow) -> Iterator[GoogleApis]:
    with google_apis(*project.services, dataflow) as started:
        yield started
    assert started.mistakes == []


@pytest.fixture
def doctor(
    gcloud: Gcloud, apis: GoogleApis, storage: Storage, bucket: str, monkeypatch, capsys
) -> Doctor:
    """The command in this process: exit code, and the checks by name and what they look at."""
    hosts = {
        "BIGQUERY_EMULATOR_HOST": f"{apis.url}/bigquery",
        "STORAGE_EMULATOR_HOST": storage.url,
    }
    environment = gcloud.environment | apis.environment | hosts
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)
    for name, value in environment.items():
        if not name.lower().endswith("_proxy"):  # which urllib would remember in this process
            monkeypatch.setenv(name, value)

    def run(*more: str, asked: tuple[str, ...] = ASKED) -> tuple[int, dict[str, dict[str, Any]]]:
        checks = [f"--check={name}" for name in asked]
        said = (
            f"--project={PROJECT}",
            f"--bucket={bucket}",
            "--json",
            "--timeout=60",
            *checks,
            *more,
        )
        code = main(["doctor", *said])
        out, err = capsys.readouterr()
        assert err == ""
        return code, {f"{each['check']} {each['of']}": each for each in json.loads(out)["checks"]}

    return run


@pytest.mark.timeout(300)  # a dozen gclouds at once, each of which takes a second to start
def test_project_in_which_all_is_well(doctor: Doctor, apis: GoogleApis):
    code, checks = doctor()
    assert {
        name: check["message"] for name, check in checks.items() if check["status"] != "pass"
    } == {}
    assert code == 0
    assert {check["check"] for check in checks.values()} == set(ASKED)
    assert len([name for name in checks if name.startswith("roles")]) == 9
    assert {method.rpartition(".")[2] for method in (call.method for call in apis.calls)} <= {
        *("get", "list", "getIamPolicy", "testIamPermissions"),
    }


@pytest.mark.timeout(300)
def test_what_is_missing_is_named_with_its_mend(
    doctor: Doctor, project: Project, storage: Storage, bucket: str
):
    del project.service_usage.kept["dataflow.googleapis.com"]
    del project.accounts.kept[WORKER]
    project.policies[PROJECT]["bindings"].pop()
    project.bigquery.kept["claims"]["access"].clear()
    project.repositories.pushed.clear()
    del project.compute.kept["default"]
    project.compute.kept["us-central1"]["quotas"][0]["limit"] = 9.0
    code, checks = doctor("--running", "--max-workers=5")
    broken = {name: check for name, check in checks.items() if check["status"] != "pass"}
    assert {check["status"] for check in broken.values()} == {"fail"}
    dataset = f"{PROJECT}.claims"
    expected = {
        "apis": "gcloud services enable dataflow.googleapis.com",
        "image": f"./build_template.sh --project {PROJECT}",
        "account": "gcloud iam service-accounts create claims-workers",
        "roles": f"gcloud projects add-iam-policy-binding {PROJECT}",
        "roles on the dataset": f"GRANT `roles/bigquery.dataEditor` ON SCHEMA `{dataset}`",
        "network": "gcloud compute networks create default",
        "quota": "--max-workers=2",
        "job": "--from=launch",
    }
    assert code == 1
    assert [check["check"] for check in broken.values()] == [name.split()[0] for name in expected]
    for check, fix in zip(broken.values(), expected.values(), strict=True):
        assert fix in check["run"]


@pytest.mark.parametrize(
    "subnet, fails, message",
    [
        ({"region": "r/us-central1", "privateIpGoogleAccess": True}, False, "with Private"),
        ({"region": "r/us-central1"}, True, "not have Private Google Access"),
        ({"region": "r/europe-west3"}, True, "is in europe-west3"),
    ],
)
def test_subnetwork(subnet, fails: bool, message: str, doctor: Doctor, project: Project):
    project.compute.kept["private"] = {"name": "private", **subnet}
    where = "--subnetwork=regions/us-central1/subnetworks/private"
    code, checks = doctor(where, "--no-public-ips", asked=("network",))
    (check,) = checks.values()
    assert (code, check["status"]) == ((1, "fail") if fails else (0, "pass"))
    assert message in check["message"]
    assert bool(check["run"]) == fails


def test_registry_of_a_private_network(doctor: Doctor, project: Project):
    """A route to the internet gateway, and a zone for Google's APIs, but none for registries."""
    network = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/closed"
    project.compute.kept["private"] = {"name": "private", "network": network}
    where = ("--subnetwork=regions/us-central1/subnetworks/private", "--no-public-ips")
    code, checks = doctor(*where, asked=("registry",))
    assert code == 1
    assert all("no route" in check["message"] for check in checks.values())
    gateway = f"projects/{PROJECT}/global/gateways/default-internet-gateway"
    project.compute.routes.append(
        {
            "name": "default",
            "network": network,
            "destRange": "0.0.0.0/0",
            "nextHopGateway": f"https://www.googleapis.com/compute/v1/{gateway}",
        }
    )
    assert doctor(*where, asked=("registry",))[0] == 0
    seen_by = {"networks": [{"networkUrl": network}]}
    zone = {"name": "apis", "dnsName": "googleapis.com.", "visibility": "private"}
    project.dns.zones.append({**zone, "privateVisibilityConfig": seen_by})
    code, checks = doctor(*where, asked=("registry",))
    (check,) = checks.values()
    assert code == 1
    assert "but none for gcr.io or pkg.dev, which" in check["message"]
    assert "managed-zones create gcr-io" in check["run"]


def test_template_of_another_version(doctor: Doctor, storage: Storage, bucket: str):
    spec = {"image": IMAGE, "metadata": {"parameters": [{"name": "input_subscription"}]}}
    place = f"gs://{bucket}/templates/claims/latest.json"
    for content, message in (
        (json.dumps(spec), "which does not support output_table, error_table"),
        ("{", "is not a Flex Template spec"),
        ("{}", "is not a Flex Template spec"),
    ):
        storage.write(place, content.encode())
        code, checks = doctor(asked=("template",))
        assert code == 1
        assert message in checks[f"template {place}"]["message"]
    code, checks = doctor("--tag=v9", asked=("template", "image"))
    assert code == 1
    assert [(each["check"], each["status"]) for each in checks.values()] == [
        ("template", "fail"),
        ("image", "unknown"),
    ]


def test_what_one_may_not_see_is_unknown(doctor: Doctor, project: Project, monkeypatch):
    def denied(call: Call) -> Any:
        raise ApiError(403, "PERMISSION_DENIED", "Permission denied.")

    monkeypatch.setitem(project.service_usage.answers, "serviceusage.services.list", denied)
    monkeypatch.setitem(project.accounts.answers, "iam.projects.serviceAccounts.get", denied)
    code, checks = doctor(asked=("apis", "account"))
    assert (code, {check["status"] for check in checks.values()}) == (0, {"unknown"})
    assert all("Permission denied" in check["message"] for check in checks.values())
    assert all(check["run"].startswith("gcloud ") for check in checks.values())


def test_without_gcloud_nothing_passes(doctor: Doctor, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, checks = doctor(asked=("apis", "account", "roles", "region", "network", "quota", "job"))
    statuses = {check["of"]: check["status"] for check in checks.values()}
    why = "to create and extend the tables and append rows"
    dataset = f"roles/bigquery.dataEditor on dataset claims ({why})"
    assert statuses.pop(dataset) == "pass"  # for which gcloud is not asked
    assert (code, set(statuses.values())) == (0, {"unknown"})

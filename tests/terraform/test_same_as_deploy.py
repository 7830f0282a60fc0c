"""The Terraform module makes what `claims deploy` makes: compared name by name."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from claims_ops.deployment import request as requests
from claims_ops.deployment.datasets import DatasetGrant, DatasetStep
from claims_ops.deployment.launch import Launch
from claims_ops.deployment.names import Deployment, Workers
from claims_ops.deployment.plan import steps
from claims_ops.deployment.request import DeploymentRequest
from claims_ops.deployment.steps import Apis, Grant, Resource
from pipeline.claims.contract import Contract
from pipeline.claims.tables import Table, TableName, claims_table, errors_table
from pipeline.launch import options
from pipeline.sinks.bigquery.table_fit import DAY_MS, field_of
from tests.support.terraform import MODULE, ROOT, Evaluated

CASES = json.loads((ROOT / "tests/cases/terraform/deployments.json").read_text())
PARAMETERS = {parameter.name for parameter in options.PARAMETERS}
Facts = set[tuple[str, ...]]


@pytest.fixture(params=CASES)
def variables(request: pytest.FixtureRequest) -> dict[str, Any]:
    return CASES[request.param]


@pytest.fixture
def module(variables: dict[str, Any], tmp_path: Path) -> Evaluated:
    module = Evaluated(MODULE, variables, tmp_path)
    assert module.refused == {}
    assert [each.refusals for each in module.resources() if each.refusals] == []
    return module


@click.command()
@requests.names
@requests.workers
def deployed(request: DeploymentRequest, workers: Workers) -> Deployment:
    """What `claims deploy` makes of its command line."""
    return requests.deployment(request, workers)


def command_line(variables: Mapping[str, Any]) -> Iterator[str]:
    """The variables as options of `claims deploy`: each has the same name."""
    for name, value in variables.items():
        option = f"--{name.replace('_', '-')}"
        if name in PARAMETERS:
            yield f"--parameter={name}={str(value).lower() if value in (True, False) else value}"
        elif isinstance(value, dict):
            yield from (f"--label={key}={each}" for key, each in value.items())
        else:
            yield option if value is True else f"{option}={value}"


def deployment(variables: Mapping[str, Any]) -> Deployment:
    made: Deployment = deployed.main(list(command_line(variables)), standalone_mode=False)
    return made


def of_deploy(to: Deployment) -> Facts:
    """Everything that `claims deploy` makes and grants, but for the job."""
    facts: Facts = set()
    for step in steps(to, False, {}):
        if isinstance(step, Apis):
            facts |= {("service", name) for name in step.services}
        elif isinstance(step, Resource):
            verb = step.create.index("create")
            facts.add(
                (*step.create[:verb], step.create[verb + 1], *sorted(step.create[verb + 2 :]))
            )
        elif isinstance(step, DatasetStep):
            facts.add(("dataset", step.project, step.dataset, step.location))
        elif isinstance(step, DatasetGrant):
            member = f"serviceAccount:{step.member}"
            facts.add(("role", "dataset", step.project, step.dataset, step.role, member))
        elif isinstance(step, Grant):
            on = (*step.target.commands, *step.target.resource)
            facts.add(("role", *on, step.role, f"serviceAccount:{step.who}"))
    return facts


def of_terraform(module: Evaluated) -> Facts:
    """The same of the module, in the same words."""
    facts: Facts = set()
    for resource in module.resources():
        if words := WORDS.get(resource.type):
            facts.add(tuple(words(dict(resource.arguments))))
    return facts


def days(seconds: str) -> str:
    return f"{int(seconds.removesuffix('s')) // 86400}d"


def bucket(a: dict[str, Any]) -> Iterator[str]:
    yield from ("storage", "buckets", f"gs://{a['name']}", f"--location={a['location']}")
    assert a["public_access_prevention"] == "enforced"
    yield "--public-access-prevention"
    yield f"--soft-delete-duration={a['soft_delete_policy']['retention_duration_seconds']}"
    assert a["uniform_bucket_level_access"] is True
    yield "--uniform-bucket-level-access"


def subscription(a: dict[str, Any]) -> Iterator[str]:
    yield from ("pubsub", "subscriptions", f"projects/{a['project']}/subscriptions/{a['name']}")
    flags = [
        f"--topic={a['topic']}",
        f"--message-retention-duration={days(a['message_retention_duration'])}",
    ]
    if "ack_deadline_seconds" in a:
        flags.append(f"--ack-deadline={a['ack_deadline_seconds']}")
    assert a["expiration_policy"] == {"ttl": ""}
    flags.append("--expiration-period=never")
    if letters := a.get("dead_letter_policy"):
        flags.append(f"--dead-letter-topic={letters['dead_letter_topic']}")
        flags.append(f"--max-delivery-attempts={letters['max_delivery_attempts']}")
    yield from sorted(flags)


def account(a: dict[str, Any]) -> Iterator[str]:
    # gcloud takes the name, and the address of the member comes from it.
    yield from ("iam", "service-accounts", a["account_id"], f"--display-name={a['display_name']}")


def role(*on: str) -> Any:
    return lambda a: ("role", *(part.format(**a) for part in on), a["role"], a["member"])


# Types of resources -> their facts. The job and the tables have tests below.
WORDS = {
    "google_project_service": lambda a: ("service", a["service"]),
    "google_storage_bucket": bucket,
    "google_pubsub_topic": lambda a: (
        "pubsub",
        "topics",
        f"projects/{a['project']}/topics/{a['name']}",
    ),
    "google_pubsub_subscription": subscription,
    "google_bigquery_dataset": lambda a: ("dataset", a["project"], a["dataset_id"], a["location"]),
    "google_service_account": account,
    "google_project_iam_member": role("projects", "{project}"),
    "google_storage_bucket_iam_member": role("storage", "buckets", "gs://{bucket}"),
    "google_artifact_registry_repository_iam_member": role(
        "artifacts", "repositories", "{repository}", "--location={location}"
    ),
    "google_bigquery_dataset_iam_member": role("dataset", "{project}", "{dataset_id}"),
    "google_secret_manager_secret_iam_member": role(
        "secrets", "projects/{project}/secrets/{secret_id}"
    ),
    "google_pubsub_subscription_iam_member": role(
        "pubsub", "subscriptions", "projects/{project}/subscriptions/{subscription}"
    ),
    "google_pubsub_topic_iam_member": role("pubsub", "topics", "projects/{project}/topics/{topic}"),
}


def test_resources_roles_and_services(variables: dict[str, Any], module: Evaluated):
    assert of_terraform(module) == of_deploy(deployment(variables))


# Arguments of the job -> flags of gcloud, and how their values differ.
FLAGS = {
    "name": "name",
    "project": "project",
    "region": "--region",
    "container_spec_gcs_path": "--template-file-gcs-location",
    "parameters": "--parameters",
    "service_account_email": "--service-account-email",
    "staging_location": "--staging-location",
    "temp_location": "--temp-location",
    "max_workers": "--max-workers",
    "num_workers": "--num-workers",
    "machine_type": "--worker-machine-type",
    "network": "--network",
    "subnetwork": "--subnetwork",
    "ip_configuration": "--disable-public-ips",
    "kms_key_name": "--dataflow-kms-key",
    "labels": "--additional-user-labels",
    "additional_experiments": "--additional-experiments",
    "enable_streaming_engine": "--enable-streaming-engine",
    "transform_name_mapping": "--transform-name-mappings",
    "on_delete": "on_delete",
}
SWITCHES = {"--disable-public-ips": "WORKER_IP_PRIVATE", "--enable-streaming-engine": True}


def test_the_job(variables: dict[str, Any], module: Evaluated):
    to = deployment(variables)
    [launch] = (step for step in steps(to, False, {}) if isinstance(step, Launch))
    expected = {
        name: SWITCHES[name] if value is None else value
        for name, value in launch._flags({}).items()
    }
    [job] = module.resources("google_dataflow_flex_template_job")
    passed = {FLAGS[name]: value for name, value in job.arguments.items() if value}
    assert passed.pop("on_delete") == "drain"  # as --drain
    assert passed == expected | {"name": to.name, "project": to.project}


def test_update_passes_the_names_of_steps(tmp_path: Path):
    names = {"OldStep": "NewStep"}
    given = {"project": "my-project", "transform_name_mapping": names}
    [job] = Evaluated(MODULE, given, tmp_path).resources("google_dataflow_flex_template_job")
    assert job.arguments["transform_name_mapping"] == names


def test_tables(variables: dict[str, Any], module: Evaluated):
    to = deployment(variables)
    created = {
        each.arguments["table_id"]: each for each in module.resources("google_bigquery_table")
    }
    if variables.get("create_tables") is False:
        assert created == {}
        return
    tables = {"output_table": claims_table(Contract.default()), "error_table": errors_table()}
    for parameter, table in tables.items():
        name = TableName.parse(to.parameters[parameter])
        days = variables.get("error_retention_days") if parameter == "error_table" else None
        found = dict(created.pop(name.table).arguments)
        assert json.loads(found.pop("schema")) == schema(table)
        found.pop("encryption_configuration", None)  # tfparse leaves it out: see below
        assert found == {
            "project": name.project,
            "dataset_id": name.dataset,
            "table_id": name.table,
            "description": table.description,
            "clustering": list(table.clustering),
            "deletion_protection": True,
            "time_partitioning": {
                "type": "DAY",
                "field": table.partition_column,
                "expiration_ms": days * DAY_MS if days else None,
            },
        }
    assert created == {}


def schema(table: Table) -> list[dict[str, Any]]:
    columns: list[dict[str, Any]] = [field_of(column).to_api_repr() for column in table.columns]
    return columns


@pytest.mark.parametrize("name", ["create_bucket", "create_datasets", "launch", "monitoring"])
def test_what_a_switch_leaves_out(name: str, tmp_path: Path):
    given = {"project": "my-project"}
    every = {each.address for each in Evaluated(MODULE, given, tmp_path).resources()}
    rest = {each.address for each in Evaluated(MODULE, given | {name: False}, tmp_path).resources()}
    assert rest < every
    assert {address.partition(".")[0] for address in every - rest} == {
        "create_bucket": {"google_storage_bucket"},
        "create_datasets": {"google_bigquery_dataset", "google_bigquery_table"},
        "launch": {"google_dataflow_flex_template_job"},
        "monitoring": {"google_monitoring_dashboard", "google_monitoring_alert_policy"},
    }[name]

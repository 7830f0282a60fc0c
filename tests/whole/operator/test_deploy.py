"""`claims deploy` with the real gcloud, into a project that is empty at first."""

import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from claims_ops.deploy import apply as run
from claims_ops.deployment import gcloud as deploy_gcloud
from claims_ops.deployment import transform_names as names
from claims_ops.deployment.gcloud import Gcloud as DeployGcloud
from claims_ops.deployment.gcloud import access_token
from claims_ops.deployment.names import Deployment
from claims_ops.deployment.plan import SERVICES, STEPS, steps
from claims_ops.deployment.steps import Resource
from claims_ops.main import main
from sandbox.emulators.emulators import BigqueryServer
from tests.support.google.dataflow import Dataflow
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import ApiError, GoogleApis, google_apis
from tests.support.google.project import NUMBER, Project
from tests.support.google.storage import Storage

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy.sh"
LAUNCH = "dataflow.projects.locations.flexTemplates.launch"
TEMPLATE = f"gs://{PROJECT}-claims/templates/claims/latest.json"
WORKER = f"claims-workers@{PROJECT}.iam.gserviceaccount.com"
PUBSUB = f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/claims"
PARAMETERS = {
    "input_subscription": SUBSCRIPTION,
    "output_table": f"{PROJECT}:claims.claims",
    "error_table": f"{PROJECT}:claims.errors",
}


@pytest.fixture
def project() -> Project:
    """An empty project, but for the template and the repository of its image."""
    project = Project(PROJECT)
    metadata = json.loads((ROOT / "metadata.json").read_text())
    project.storage.objects[TEMPLATE] = json.dumps({"metadata": metadata}).encode()
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
def gcloud(gcloud: Gcloud, apis: GoogleApis) -> Gcloud:
    """The real one, which talks to this project only."""
    bigquery = {"BIGQUERY_EMULATOR_HOST": f"{apis.url}/bigquery"}
    return Gcloud(gcloud.home, apis.environment | bigquery)


@pytest.fixture
def deploy(gcloud: Gcloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command in this process; returns its exit code."""
    for name in os.environ.keys() - gcloud.environment.keys():
        monkeypatch.delenv(name)
    for name, value in gcloud.environment.items():
        if not name.lower().endswith("_proxy"):  # which urllib would remember in this process
            monkeypatch.setenv(name, value)
    return lambda *arguments: main(["deploy", f"--project={PROJECT}", *arguments])


def changes(apis: GoogleApis) -> list[str]:
    """The calls so far that were to change something."""
    asking = (".get", ".list", ".getIamPolicy")
    return [call.method for call in apis.calls if not call.method.endswith(asking)]


@pytest.mark.timeout(300)  # some 50 calls of gcloud, which takes a second to start
def test_from_nothing_to_a_running_job_and_once_more(
    deploy, gcloud: Gcloud, project: Project, dataflow: Dataflow, apis: GoogleApis, capsys
):
    project.failures["iam.projects.serviceAccounts.create"] = ApiError(
        403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.create' denied."
    )
    assert deploy("--label=team=claims intake") == 1
    stopped = capsys.readouterr()
    assert stopped.out.splitlines()[-1] == f"dataset {PROJECT}:claims: created"
    *_, stopped_at, hint, go_on, why = stopped.err.splitlines()
    assert stopped_at.startswith("Stopped at account (service account claims-workers@")
    assert "The earlier steps are done. You can rerun the command" in stopped_at
    assert hint.startswith("Hint: the account that gcloud uses (`gcloud auth list`) lacks a role")
    assert why.startswith("claims: account: `gcloud iam service-accounts create claims-workers")
    assert "Permission 'iam.serviceAccounts.create' denied." in why
    claims, command, *arguments = shlex.split(go_on.removeprefix("To continue: "))
    assert (claims, command) == ("claims", "deploy")
    assert set(arguments) == {
        f"--project={PROJECT}",
        "--label=team=claims intake",
        "--from=account",
    }

    project.unsettled.append(WORKER)  # it was created a moment ago
    before = len(apis.calls)
    gcloud.run(DEPLOY, *arguments)
    assert not any("topics.create" in call.method for call in apis.calls[before:])
    check_project(project)
    (job,) = dataflow.jobs.values()
    assert job["name"] == "claims"
    (body,) = apis.bodies(LAUNCH)
    environment = body["launchParameter"]["environment"]
    assert body["launchParameter"]["parameters"] == PARAMETERS
    assert environment["serviceAccountEmail"] == WORKER
    assert environment["enableStreamingEngine"] is True
    assert environment["additionalUserLabels"] == {"team": "claims intake"}

    state, jobs, changed = project.state(), json.dumps(dataflow.jobs), changes(apis)
    again = gcloud.run(DEPLOY, "--project", PROJECT)
    assert "\nNothing changed.\n" in again.stdout
    assert changes(apis) == changed
    assert (project.state(), json.dumps(dataflow.jobs)) == (state, jobs)
    assert again.stderr == ""


def check_project(project: Project) -> None:
    """All is there, and the accounts may do no more than they must."""
    assert set(SERVICES) <= project.service_usage.kept.keys()
    assert project.storage.kept.keys() == {f"{PROJECT}-claims"}
    prefix = f"projects/{PROJECT}"
    assert project.pubsub.kept.keys() == {
        *(f"{prefix}/topics/claims", f"{prefix}/topics/claims-dead-letter"),
        *(SUBSCRIPTION, f"{SUBSCRIPTION}-dead-letter"),
    }
    claims = project.pubsub.kept[SUBSCRIPTION]
    assert claims["deadLetterPolicy"] == {
        "deadLetterTopic": f"{prefix}/topics/claims-dead-letter",
        "maxDeliveryAttempts": 100,
    }
    assert claims["messageRetentionDuration"] == "604800s"
    assert claims["expirationPolicy"] == {}  # never
    dead_letter = project.pubsub.kept[f"{SUBSCRIPTION}-dead-letter"]
    assert dead_letter["topic"] == f"{prefix}/topics/claims-dead-letter"
    assert project.bigquery.kept["claims"]["location"] == "us-central1"
    assert project.bigquery.kept["claims"]["access"] == [{"role": "WRITER", "userByEmail": WORKER}]
    assert project.roles() == {
        f"serviceAccount:{WORKER}": [
            "claims: roles/artifactregistry.reader",
            "my-project-claims: roles/storage.objectAdmin",
            "my-project: roles/dataflow.viewer",
            "my-project: roles/dataflow.worker",
            f"{SUBSCRIPTION}: roles/pubsub.subscriber",
            f"{SUBSCRIPTION}: roles/pubsub.viewer",
        ],
        f"serviceAccount:{PUBSUB}": [
            f"{SUBSCRIPTION}: roles/pubsub.subscriber",
            f"{prefix}/topics/claims-dead-letter: roles/pubsub.publisher",
        ],
    }


AWKWARD = """gs://my-bucket/a,b=c 'd' "e" ~ ^:^ é"""


def test_what_was_asked_for_reaches_dataflow(deploy, apis: GoogleApis, tmp_path: Path):
    file = tmp_path / "parameters.json"
    file.write_text(json.dumps({"high_risk_threshold": 0.7, "rules": "gs://my-bucket/file's"}))
    options = {
        "--parameters-file": str(file),
        "--parameter": f"rules={AWKWARD}",
        "--max-workers": "3",
        "--num-workers": "2",
        "--machine-type": "n2-standard-2",
        "--subnetwork": "regions/europe-west3/subnetworks/private",
        "--region": "europe-west3",
        "--kms-key": "projects/my-project/locations/europe-west3/keyRings/r/cryptoKeys/k",
        "--label": "cost=claims, eu",
        "--bucket": "my-bucket",
        "--template": TEMPLATE,
        "--name": "claims-eu",
    }
    given = [f"{option}={value}" for option, value in options.items()]
    assert deploy(*given, "--no-public-ips", "--at-least-once", "--from=launch") == 0
    (body,) = apis.bodies(LAUNCH)
    ours = {
        "input_subscription": f"{SUBSCRIPTION}-eu",
        "output_table": f"{PROJECT}:claims_eu.claims",
        "error_table": f"{PROJECT}:claims_eu.errors",
    }
    assert body["launchParameter"] == {
        "jobName": "claims-eu",
        "containerSpecGcsPath": TEMPLATE,
        "parameters": {
            **ours,
            "high_risk_threshold": "0.7",
            "rules": AWKWARD,
        },
        "environment": {
            "serviceAccountEmail": f"claims-eu-workers@{PROJECT}.iam.gserviceaccount.com",
            "stagingLocation": "gs://my-bucket/staging",
            "tempLocation": "gs://my-bucket/temp",
            "maxWorkers": 3,
            "numWorkers": 2,
            "machineType": "n2-standard-2",
            "subnetwork": "regions/europe-west3/subnetworks/private",
            "ipConfiguration": "WORKER_IP_PRIVATE",
            "kmsKeyName": options["--kms-key"],
            "additionalUserLabels": {"cost": "claims, eu"},
            "additionalExperiments": ["streaming_mode_at_least_once"],
            "enableStreamingEngine": True,
        },
    }


def test_backfill(deploy, apis: GoogleApis, capsys):
    files = "input_files=gs://archive/2026-*.ndjson.gz"
    arguments = ("--parameter", files, "--name=claims-2026", f"--template={TEMPLATE}")
    assert deploy(*arguments, "--dry-run") == 0
    planned = capsys.readouterr().out
    assert "gcloud pubsub" not in planned
    assert "get-iam-policy gs://archive" in planned
    assert deploy(*arguments, "--from=launch") == 0
    (body,) = apis.bodies(LAUNCH)
    assert body["launchParameter"]["environment"].get("enableStreamingEngine", False) is False
    assert "input_subscription" not in body["launchParameter"]["parameters"]


def test_secret_of_the_pseudonyms(deploy, project: Project, capsys):
    secret = f"projects/{PROJECT}/secrets/claims-pseudonyms"
    given = ("pseudonymise=patient_id", f"pseudonym_key={secret}/versions/1")
    arguments = [f"--parameter={each}" for each in given]
    assert deploy("--dry-run") == 0
    assert "secret" not in capsys.readouterr().out
    assert deploy(*arguments, "--dry-run") == 0
    planned = capsys.readouterr().out
    assert "secretmanager.googleapis.com" in planned
    role = "roles/secretmanager.secretAccessor"
    assert f"gcloud secrets add-iam-policy-binding {secret} " in planned
    assert f"--role={role}" in planned

    to = Deployment(
        project=PROJECT,
        region="us-central1",
        name="claims",
        bucket="b",
        repository="claims",
        template=TEMPLATE,
        location="US",
        parameters={**PARAMETERS, "pseudonym_key": f"{secret}/versions/1"},
        own_source=True,
    )
    for told in ("granted", "already granted"):
        [grant] = [step for step in steps(to, False, {}) if role in step.title]
        assert grant.take() == told
    assert project.roles() == {f"serviceAccount:{WORKER}": [f"claims-pseudonyms: {role}"]}
    file = replace(to, parameters={**PARAMETERS, "pseudonym_key": "gs://keys/claims"})
    assert file.secret is None
    assert file.foreign_buckets == ("keys",)


@pytest.mark.parametrize("key", ["hunter2", "/9j4AAQSkZJRgABAQAAAQABAAD/2wBDAAIB="])
@pytest.mark.parametrize("after", [False, True])
def test_a_key_itself_is_never_printed(key: str, after: bool, capsys):
    given = ["deploy", f"--project={PROJECT}", "--dry-run"]
    if after:
        given += ["--direct", "--image=i", "--", f"--pseudonym_key={key}"]
    else:
        given += ["--parameter=pseudonymise=patient_id", f"--parameter=pseudonym_key={key}"]
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert "pseudonym_key" in err and key not in out + err


@pytest.mark.parametrize("views", ["true", "TRUE", "false"])
def test_views_are_made_by_queries(views: str, capsys):
    """As the worker account, which may run none by the role on a dataset alone."""
    given = ["deploy", "--project=my-project", "--dry-run", f"--parameter=create_views={views}"]
    assert main(given) == 0
    planned = capsys.readouterr().out
    is_granted = "add-iam-policy-binding my-project" in planned and "bigquery.jobUser" in planned
    assert main([*given, "--drain"]) == 0
    is_removed = "--role=roles/bigquery.jobUser" in capsys.readouterr().out
    assert is_granted == is_removed == (views.lower() == "true")


def test_without_dead_letters(capsys):
    given = ["deploy", "--project=my-project", "--dry-run"]
    for words, is_there in (([], True), (["--no-dead-letter"], False)):
        assert main([*given, *words]) == 0
        plan = capsys.readouterr().out
        assert ("dead-letter" in plan) is is_there
        assert ("gcp-sa-pubsub" in plan) is is_there
        assert "pubsub subscriptions create projects/my-project/subscriptions/claims" in plan


def test_life_of_a_job(deploy, dataflow: Dataflow, apis: GoogleApis, capsys, monkeypatch, tmp_path):
    mapping = tmp_path / "names.json"
    renamed = {"ReadClaims": "ReadMessages", "CountClaims": "", "Newer": "Newest"}
    mapping.write_text(json.dumps(renamed))
    monkeypatch.setattr(names, "NAMES", mapping)
    assert deploy("--from=launch", "--update") == 1
    assert "the job claims is not running" in capsys.readouterr().err
    assert dataflow.jobs == {}

    assert deploy("--from=launch") == 0
    (first,) = dataflow.jobs.values()
    labels = ("ReadClaims/Pull/Read", "CountClaims/Count", "WriteClaims/AppendRows")
    steps = [{"name": label} for label in labels]
    first["pipelineDescription"] = {"originalPipelineTransform": steps}
    capsys.readouterr()
    assert deploy("--from=launch") == 0
    assert "Nothing changed." in capsys.readouterr().out
    assert len(dataflow.jobs) == 1

    assert deploy("--from=launch", "--update") == 1
    assert "is Queued" in capsys.readouterr().err
    first["currentState"] = "JOB_STATE_RUNNING"
    assert deploy("--from=launch", "--update") == 0
    assert first["currentState"] == "JOB_STATE_UPDATED"
    body = apis.bodies(LAUNCH)[-1]["launchParameter"]
    assert (body["update"], body["jobName"]) == (True, "claims")
    assert body["transformNameMappings"] == {"ReadClaims": "ReadMessages", "CountClaims": ""}

    *_, running = dataflow.jobs.values()
    capsys.readouterr()
    assert deploy("--workers=2-10") == 1  # it is queued
    assert "the job claims is not running" in capsys.readouterr().err
    running["currentState"] = "JOB_STATE_RUNNING"
    assert deploy("--workers=2-10") == 0
    assert f"{running['id']} will scale between 2 and 10 workers;" in capsys.readouterr().out
    assert running["runtimeUpdatableParams"] == {"minNumWorkers": 2, "maxNumWorkers": 10}
    for _ in range(2):
        assert deploy("--drain") == 0
        assert running["currentState"] == "JOB_STATE_DRAINING"
        assert running["id"] in capsys.readouterr().out
    updates = apis.bodies("dataflow.projects.locations.jobs.update")
    assert [body.get("requestedState") for body in updates] == [None, "JOB_STATE_DRAINED"]
    assert deploy("--from=launch") == 1
    assert "is draining" in capsys.readouterr().err

    running["currentState"] = "JOB_STATE_DRAINED"
    assert deploy("--drain") == 0
    assert "nothing to drain" in capsys.readouterr().out


def test_template_that_is_missing(deploy, capsys):
    assert deploy("--from=template", "--tag=v9") == 1
    err = capsys.readouterr().err
    assert "--tag=v9 --from=template" in err
    assert "templates/claims/v9.json does not exist; create it" in err.splitlines()[-1]


def test_subscription_of_another_topic_is_told(deploy, project: Project):
    project.pubsub.kept[SUBSCRIPTION] = {"name": SUBSCRIPTION, "topic": "projects/p/topics/other"}
    describe = ("pubsub", "subscriptions", "describe", SUBSCRIPTION)
    expected = {"topic": "projects/p/topics/ours", "deadLetterPolicy.deadLetterTopic": "dead"}
    step = Resource("subscription", "s", describe, (), DeployGcloud(PROJECT), expected)
    assert step.take() == (
        "exists, but topic is projects/p/topics/other; expected projects/p/topics/ours;"
        " deadLetterPolicy.deadLetterTopic is not set; expected dead"
    )


def test_quiet_tells_only_what_changed(capsys):
    steps = [
        SimpleNamespace(name=done, title=f"a {done}", take=lambda done=done: done)
        for done in ("exists", "already granted", "created")
    ]
    assert run.take(steps, str, quiet=True) == 1
    assert capsys.readouterr().out == "a created: created\n"
    assert run.take(steps, str) == 1
    lines = ["a exists: exists", "a already granted: already granted", "a created: created"]
    assert capsys.readouterr().out.splitlines() == lines


def test_token_is_that_of_gcloud(deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "token").write_text("made-up-token")
    monkeypatch.delenv("CLOUDSDK_AUTH_DISABLE_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", str(tmp_path / "token"))
    assert access_token() == "made-up-token"


def test_direct(
    deploy,
    dataflow: Dataflow,
    apis: GoogleApis,
    storage: Storage,
    bigquery_server: BigqueryServer,
    dataset: str,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in (storage.environment | bigquery_server.environment).items():
        monkeypatch.setenv(name, value)
    endpoint = apis.url.replace("127.0.0.1", "localhost")  # with which Beam speaks plain HTTP
    image = f"us-central1-docker.pkg.dev/{PROJECT}/claims/claims:1"
    asked = (
        *("--direct", f"--image={image}", f"--bucket={storage.new_bucket()}", "--max-workers=3"),
        *("--at-least-once", "--no-public-ips", "--label=team=claims", "--from=launch"),
        *(f"--parameter=output_table={dataset}.claims",),
        *(f"--parameter=error_table={dataset}.errors",),
    )
    assert deploy(*asked, "--", f"--dataflow_endpoint={endpoint}/dataflow") == 0
    (job,) = dataflow.jobs.values()
    assert (job["name"], job["labels"]["team"]) == ("claims", "claims")
    environment = job["environment"]
    assert environment["serviceOptions"] == ["streaming_mode_at_least_once"]
    assert environment["serviceAccountEmail"] == WORKER
    (workers,) = environment["workerPools"]
    assert workers["autoscalingSettings"] == {"maxNumWorkers": 3}
    assert workers["sdkHarnessContainerImages"][0]["containerImage"] == image
    options = environment["sdkPipelineOptions"]["options"]
    assert options["input_subscription"] == SUBSCRIPTION


def test_dry_run_starts_nothing(deploy, apis: GoogleApis, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert deploy("--dry-run", "--update") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    headings = [line.split(":")[0].removeprefix("# ") for line in lines if line.startswith("# ")]
    assert list(dict.fromkeys(headings)) == list(STEPS)
    commands = [shlex.split(line[2:]) for line in lines if line[:2] in ("? ", "+ ")]
    assert {command[0] for command in commands} == {"gcloud", "bq", "cat"}
    assert all(f"--project={PROJECT}" in each for each in commands if each[0] == "gcloud")
    flags = json.loads(out.partition("<<'END'\n")[2].partition("\nEND\n")[0])
    assert flags["--parameters"] == PARAMETERS
    assert "--update" in flags
    assert deploy("--dry-run", "--drain") == 0
    out = capsys.readouterr().out
    assert "+ gcloud dataflow jobs drain" in out
    assert f"\ngcloud --project={PROJECT} storage rm --recursive gs://" in out
    assert apis.calls == []


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--parameter", "output_table"], "output_table"),
        (["--parameter", "output_table=claims"], "output_table"),
        (["--parameter", "colour=red"], "colour"),
        (["--parameter=input_files=/data/claims.ndjson"], "input_files: must be a gs://"),
        (["--parameter=input_files=gs://"], "input_files: must be a gs://"),
        (["--parameter=mue_table=mue.csv"], "mue_table: must be a gs://"),
        (["--parameter=claim_map=./map.jsonata"], "claim_map: must be a gs://"),
        (["--parameter=claim_schema=claim.schema.json"], "claim_schema: must be a gs://"),
        (["--direct", "--image=i", "--parameter=rules=rules.json"], "rules: must be a gs://"),
        (["--direct", "--image=i", "--", "--output_table=p:d.t"], "--parameter output_table="),
        (["--parameter", "input_topic=projects/my-project/topics/t", "--from=topic"], "topic"),
        (["--update", "--drain"], "--drain"),
        (["--direct"], "--image"),
        (["--image=i"], "--direct"),
        (["--", "--experiments=x"], "--direct"),
        (["--name=Claims"], "--name"),
        (["--project=Claims"], "--project"),
        (["--parameter=input_files=gs://bucket/x", "--update"], "--update"),
        (["--parameter=input_files=gs://bucket/x", "--at-least-once"], "--at-least-once"),
        (["--max-workers=0"], "--max-workers"),
        (["--from=nowhere"], "--from"),
        (["--parameters-file=/nowhere"], "--parameters-file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_argument_is_one_line(arguments: list[str], said: str, capsys):
    assert main(["deploy", f"--project={PROJECT}", "--dry-run", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


@pytest.mark.parametrize("text", ["[]", "{"])
def test_parameters_file_that_is_none(text: str, tmp_path: Path, capsys):
    path = tmp_path / "parameters.json"
    path.write_text(text)
    assert main(["deploy", f"--project={PROJECT}", f"--parameters-file={path}", "--dry-run"]) == 2
    assert str(path) in capsys.readouterr().err


def test_no_gcloud(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert main(["deploy", f"--project={PROJECT}", "--from=launch"]) == 1
    assert "gcloud is not installed" in capsys.readouterr().err


def test_command_that_does_not_end(monkeypatch, tmp_path: Path):
    slow = tmp_path / "gcloud"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(deploy_gcloud, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(deploy_gcloud.StepFailed, match="did not finish within 0.2 s"):
        DeployGcloud(PROJECT).run(("version",))

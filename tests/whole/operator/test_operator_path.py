"""From the commands of the docs to a job: what an operator does, run as it stands there.

gcloud and the launched program are the real ones; Google's services are stand-ins that take
nothing which the services would not. Docker is a stand-in that writes down how it is called
(docker_shim.py says why).
"""

import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from google.cloud import dataflow_v1beta3
from google.protobuf import json_format

from sandbox.emulators.emulators import BigqueryServer
from tests.support.google import build_config, launcher
from tests.support.google.artifact_registry import ArtifactRegistry
from tests.support.google.cloud_build import CloudBuild
from tests.support.google.dataflow import Dataflow
from tests.support.google.discovery import api
from tests.support.google.docker_shim import DockerShim
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import GoogleApis, google_apis
from tests.support.google.project import Project, ServiceUsage
from tests.support.google.readme import commands
from tests.support.google.storage import Storage

METADATA = json.loads((launcher.ROOT / "metadata.json").read_text())
LAUNCH = "docs/operate/launch.md"
BUCKET = "my-project-claims"
LATEST = f"gs://{BUCKET}/templates/claims/latest.json"
NAME = f"us-central1-docker.pkg.dev/{PROJECT}/claims/claims"
AWKWARD = 'event id, "quoted", a=b'
"""A value of message_id_attribute with all that shells and gcloud make something of."""


@dataclass(frozen=True)
class Operator:
    """Somebody with the docs, a shell and gcloud."""

    gcloud: Gcloud
    apis: GoogleApis
    dataflow: Dataflow
    cloud_build: CloudBuild
    docker: DockerShim
    services: ServiceUsage
    storage: Storage
    environment: dict[str, str]

    def does(self, *scripts: str) -> str:
        """Run commands in the checkout, and return what they print."""
        script = "\n".join(("set -euo pipefail", f"cd {launcher.ROOT}", *scripts))
        return self.gcloud.run("bash", "-c", script, **self.environment).stdout


@pytest.fixture(scope="module")
def operator(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    directory = tmp_path_factory.mktemp("operator")
    docker = DockerShim(directory / "docker")
    dataflow, cloud_build = Dataflow(storage), CloudBuild()
    services = Project(PROJECT).service_usage
    registry = ArtifactRegistry(docker.pushed)
    with google_apis(dataflow, cloud_build, registry, services) as apis:
        gcloud = Gcloud(directory, storage.environment | apis.environment)
        own = {"TAG": "v1", **docker.install()}  # the checkout may have changes of its own
        yield Operator(gcloud, apis, dataflow, cloud_build, docker, services, storage, own)
    assert apis.mistakes == []


@pytest.fixture(scope="module")
def built(operator: Operator) -> str:
    """What building the template by the README printed."""
    build = commands("README.md", "Launch")[0]
    return operator.does(build)


def test_the_template_has_what_gcloud_drops(operator: Operator, built: str):
    spec = json.loads(operator.storage.read(LATEST))
    api("dataflow.v1b3").check("ContainerSpec", spec)
    assert spec["metadata"] == METADATA
    assert spec["metadata"]["supportsAtLeastOnce"] is spec["metadata"]["streaming"] is True
    (tagged,) = operator.docker.pushed()
    assert spec["image"] == f"{NAME}@{operator.docker.pushed()[tagged]}"
    assert spec["defaultEnvironment"] == {"sdkContainerImage": spec["image"]}
    (build,) = (call for call in operator.docker.calls if call[0] == "build")
    assert f"IMAGE={tagged}" in build
    versioned = LATEST.replace("latest", "v1")
    assert operator.storage.read(versioned) == operator.storage.read(LATEST)
    assert f"--template-file-gcs-location {versioned}" in built


def test_the_services_of_a_new_project_are_enabled(operator: Operator, built: str):
    assert operator.services.kept.keys() == {
        f"{name}.googleapis.com" for name in ("artifactregistry", "dataflow", "storage")
    }


def test_building_again_changes_nothing(operator: Operator, built: str):
    objects, calls = operator.storage.objects(BUCKET), operator.docker.calls
    again = operator.does(commands("README.md", "Launch")[0])
    assert "Nothing changed" in again and "\n+ " not in again
    assert operator.storage.objects(BUCKET) == objects
    assert operator.docker.calls == calls


def exports() -> str:
    """What the README sets first."""
    return commands("README.md", "Launch")[0].splitlines()[0]


@pytest.fixture
def tables(bigquery_server: BigqueryServer) -> Iterator[None]:
    """The dataset that the launch names."""
    with bigquery_server.client(PROJECT) as client:
        client.create_dataset(f"{PROJECT}.claims")
        yield
        client.delete_dataset(f"{PROJECT}.claims", delete_contents=True)


@pytest.mark.usefixtures("built", "tables")
def test_launch(operator: Operator, bigquery_server: BigqueryServer, tmp_path: Path):
    awkward = shlex.quote(f"^~^message_id_attribute={AWKWARD}")
    operator.does(exports(), f"{commands(LAUNCH, 'Launch the job')[0]} --parameters {awkward}")
    request = operator.apis.bodies("dataflow.projects.locations.flexTemplates.launch")[-1]
    asked = request["launchParameter"]
    assert asked["parameters"] == {
        "input_subscription": f"projects/{PROJECT}/subscriptions/claims",
        "output_table": f"{PROJECT}.claims.claims",
        "error_table": f"{PROJECT}.claims.errors",
        "message_id_attribute": AWKWARD,
    }

    (queued,) = operator.dataflow.active("claims")
    place = f"gs://{BUCKET}/staging/template_launches/{queued['id']}/job_object"
    ((tagged, digest),) = operator.docker.pushed().items()
    image = f"{NAME}@{digest}"
    launched = launcher.launch(
        launcher.arguments(operator.dataflow.spec(asked), queued, asked, place),
        tagged,
        operator.storage.environment | bigquery_server.environment,
        tmp_path,
    )
    assert launched.returncode == 0, launched.stderr

    job = json.loads(operator.storage.read(place))
    json_format.ParseDict(job, dataflow_v1beta3.Job.pb()())  # refuses what it does not know
    assert (job["name"], job["type"]) == ("claims", "JOB_TYPE_STREAMING")
    (workers,) = job["environment"]["workerPools"]
    assert [each["containerImage"] for each in workers["sdkHarnessContainerImages"]] == [image]
    assert workers["autoscalingSettings"]["maxNumWorkers"] == 5
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert {name: options[name] for name in asked["parameters"]} == asked["parameters"]

    graph = operator.storage.read(options["pipelineUrl"])
    assert hashlib.sha256(graph).hexdigest() == options["pipelineProtoHash"]
    components = beam_runner_api_pb2.Pipeline.FromString(graph).components
    images = [
        beam_runner_api_pb2.DockerPayload.FromString(each.payload).container_image
        for each in components.environments.values()
    ]
    assert set(images) == {image}
    (read,) = (
        beam_runner_api_pb2.PubSubReadPayload.FromString(each.spec.payload)
        for each in components.transforms.values()
        if each.spec.urn == "beam:transform:pubsub_read:v1"
    )
    assert read.subscription == asked["parameters"]["input_subscription"]
    assert read.id_attribute == AWKWARD


@pytest.mark.usefixtures("built")
def test_launch_from_ci_then_operate(operator: Operator):
    operator.does(exports(), commands(LAUNCH, "Launch the job")[1])
    (build,) = operator.cloud_build.builds.values()
    (launch,) = (step for step in build["steps"] if step["id"] == "launch")
    environment = build_config.environment(launch)
    assert (environment["JOB"], environment["TAG"], environment["BUCKET"]) == (
        "claims",
        "v1",
        BUCKET,
    )
    by_hand = commands(LAUNCH, "Launch the job")[0].replace(" run claims ", " run operated ")
    assert environment["PARAMETERS"].split(",") == [
        word.replace("$PROJECT", PROJECT)
        for word in by_hand.split()
        if word.partition("=")[0] in {each["name"] for each in METADATA["parameters"]}
    ]

    find, drain, cancel = (
        command.replace("name=claims", "name=operated")
        for command in commands(LAUNCH, "Update, drain, cancel")
    )
    operator.does(exports(), by_hand)
    operator.does(exports(), f"{by_hand} --update", find, drain)
    operator.does(exports(), find, cancel)
    jobs = [job for job in operator.dataflow.jobs.values() if job["name"] == "operated"]
    assert [job["currentState"] for job in jobs] == ["JOB_STATE_UPDATED", "JOB_STATE_CANCELLED"]

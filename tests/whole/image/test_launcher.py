"""The image as the launcher of the Flex Template, without a network but the servers beside it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2 as model
from google.cloud import dataflow_v1beta3 as dataflow
from google.protobuf import json_format
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from pipeline import main
from sandbox.emulators.emulators import PROJECT
from tests.whole.image import containers, servers
from tests.whole.image.containers import LAUNCHER, PYTHON

BUCKET = "staging-bucket"
JOB = f"gs://{BUCKET}/staging/template_launches/2026-11-24_00_00_00-1/job_object"
PARAMETERS = {
    "input_subscription": f"projects/{PROJECT}/subscriptions/claims",
    "output_table": f"{PROJECT}:claims.claims",
    "error_table": f"{PROJECT}.claims.errors",
    "dataset_location": "US",
    "high_risk_threshold": "0.7",
}
# As Dataflow passes them on to the program of a template.
OF_DATAFLOW = {
    "runner": "DataflowRunner",
    "project": PROJECT,
    "region": "us-central1",
    "job_name": "claims",
    "template_location": JOB,
    "staging_location": f"gs://{BUCKET}/staging",
    "temp_location": f"gs://{BUCKET}/temp",
    "max_num_workers": "3",
    "service_account_email": f"worker@{PROJECT}.iam.gserviceaccount.com",
}
IMPORT_ALL = """
import importlib, pkgutil, pipeline
modules = {module.name for module in pkgutil.walk_packages(pipeline.__path__, "pipeline.")}
for name in modules:
    importlib.import_module(name)
print(*sorted(modules))
"""


def flags(given: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items()]


@pytest.fixture(scope="module")
def bucket_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Cloud Storage keeps its buckets, as directories that anybody may write."""
    directory = tmp_path_factory.mktemp("storage")
    for path in (directory, directory / BUCKET):
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
    return directory


@pytest.fixture(scope="module")
def services(docker_engine: None, bucket_directory: Path) -> Iterator[str]:
    """The network of Cloud Storage and BigQuery: a loopback, and no way out of it."""
    image = servers.server_image()
    storage = containers.confined(
        image,
        *("fake-gcs-server", "-scheme=http", "-host=127.0.0.1", "-port=4443"),
        *("-public-host=127.0.0.1:4443", "-filesystem-root=/storage"),
    ).with_volume_mapping(str(bucket_directory), "/storage", "rw")
    with storage.waiting_for(LogMessageWaitStrategy("server started")):
        network = f"container:{storage.get_container_id()}"
        at = {"BQEMU_REST_HOST": "127.0.0.1", "BQEMU_GRPC_HOST": "127.0.0.1"}
        bigquery = containers.confined(image, network=network, environment=at)
        with bigquery.waiting_for(LogMessageWaitStrategy("grpc.listen")):
            yield network


@pytest.fixture(scope="module")
def job(image: str, services: str, bucket_directory: Path) -> dict[str, Any]:
    """The job object that a launch leaves in Cloud Storage."""
    container = containers.confined(
        image,
        *flags(OF_DATAFLOW | PARAMETERS),
        entrypoint=LAUNCHER,
        network=services,
        environment={
            "STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443",
            "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:9050",
        },
    )
    code, _, err = containers.ended(container)
    assert code == 0, err
    return json.loads((bucket_directory / JOB.removeprefix("gs://")).read_text())


def test_launch_leaves_a_job_of_our_image(job: dict[str, Any], image: str):
    parsed = json_format.ParseDict(job, dataflow.Job.pb()())
    assert parsed.type_ == dataflow.JobType.JOB_TYPE_STREAMING
    [pool] = parsed.environment.worker_pools
    used = {harness.container_image for harness in pool.sdk_harness_container_images}
    assert used == {image}
    assert pool.autoscaling_settings.max_num_workers == 3


def test_parameters_reach_the_job_unchanged(job: dict[str, Any]):
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert {name: str(options[name]) for name in PARAMETERS} == PARAMETERS


def test_every_environment_of_the_pipeline_is_our_image(
    job: dict[str, Any], image: str, bucket_directory: Path
):
    options = job["environment"]["sdkPipelineOptions"]["options"]
    content = (bucket_directory / options["pipelineUrl"].removeprefix("gs://")).read_bytes()
    assert hashlib.sha256(content).hexdigest() == options["pipelineProtoHash"]
    pipeline = model.Pipeline.FromString(content)
    environments = pipeline.components.environments.values()
    images = {
        model.DockerPayload.FromString(environment.payload).container_image
        for environment in environments
    }
    assert images == {image}
    assert {environment.urn for environment in environments} == {"beam:env:docker:v1"}
    # Nothing that a worker would have to install.
    staged = {
        model.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name
        for environment in environments
        for artifact in environment.dependencies
    }
    assert staged <= {"pickled_main_session", "submission_environment_dependencies.txt"}


def test_wrong_parameter_is_one_line(image: str):
    wrong = PARAMETERS | {"output_table": "claims"}
    container = containers.confined(image, *flags(OF_DATAFLOW | wrong), entrypoint=LAUNCHER)
    code, out, err = containers.ended(container)
    assert code == main.EXIT_USAGE
    assert out == ""
    assert err.startswith("claims: output_table: 'claims' is not valid")
    assert err.count("\n") == 1


def test_all_is_there_without_a_network(image: str):
    code, out, err = containers.ended(
        containers.confined(image, "-c", IMPORT_ALL, entrypoint=PYTHON)
    )
    assert code == 0, err
    assert {"pipeline.main", "pipeline.sinks.bigquery.storage_write"} <= set(out.split())


@pytest.mark.parametrize("entrypoint, command", [(PYTHON, ["-m", "pipeline.main"]), (LAUNCHER, [])])
def test_help_without_a_network(image: str, entrypoint: str, command: list[str]):
    container = containers.confined(image, *command, "--help", entrypoint=entrypoint)
    code, out, err = containers.ended(container)
    assert code == 0, err
    assert "--input_subscription" in out


def test_without_a_worker_id_it_is_no_worker(image: str):
    code, _, err = containers.ended(containers.confined(image))
    assert code == 1
    assert "No id provided" in err

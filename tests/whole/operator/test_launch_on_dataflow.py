"""What the pipeline's own launch gives to Dataflow, and what stops it at once."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.cloud import dataflow_v1beta3
from google.protobuf import json_format

from pipeline import main
from pipeline.claims.contract import default_contract_text
from pipeline.launch import dataflow as ours
from pipeline.launch import prepare
from pipeline.launch.dataflow import AT_LEAST_ONCE, EXACTLY_ONCE
from pipeline.launch.options import REFERENCE_FILES
from sandbox.emulators.emulators import BigqueryServer
from tests.support.google.dataflow import Dataflow
from tests.support.google.google_apis import ApiError, Call, GoogleApis, google_apis
from tests.support.google.storage import Storage

SOON_SECONDS = 10
CLAIMS = Path(__file__).parents[2] / "cases/graph/input.ndjson"
SUBSCRIPTION = {"input_subscription": "projects/my-project/subscriptions/claims"}
BACKFILL = {"input_files": "gs://{bucket}/input.ndjson"}


@pytest.fixture(autouse=True)
def stand_ins(
    storage: Storage, bigquery_server: BigqueryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (storage.environment | bigquery_server.environment).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(storage: Storage) -> str:
    return storage.new_bucket()


@pytest.fixture
def arguments(bucket: str, dataset: str, storage: Storage):
    def make(*more: str, **given: str | None) -> list[str]:
        """Of a launch in which nothing is wrong but what is given; None leaves one out."""
        right = {
            "runner": "DataflowRunner",
            "project": "my-project",
            "region": "us-central1",
            "job_name": "claims",
            "temp_location": f"gs://{bucket}/temp",
            "output_table": f"{dataset}.claims",
            "error_table": f"{dataset}.errors",
            "sdk_container_image": "us-docker.pkg.dev/my-project/claims/pipeline:1",
            "experiments": "disable_logging_submission_environment",  # it takes 2 s
        }
        if given.get("input_files") == BACKFILL["input_files"]:
            given |= {name: path.format(bucket=bucket) for name, path in BACKFILL.items()}
            storage.write(str(given["input_files"]), CLAIMS.read_bytes())
        said = (right | given).items()
        return [*(f"--{name}={value}" for name, value in said if value is not None), *more]

    return make


@pytest.fixture
def staged(arguments, bucket: str, storage: Storage):
    def launched(*more: str, **given: str | None) -> dict[str, Any]:
        """The job that the launcher of a Flex Template stages."""
        place = f"gs://{bucket}/staging/template_launches/1/job_object"
        assert main.main(arguments(*more, template_location=place, **given)) == 0
        return strictly(json.loads(storage.read(place)))

    return launched


def strictly(job: dict[str, Any]) -> dict[str, Any]:
    """The job, of which the service's own message knows every field; enums by name."""
    return json_format.MessageToDict(json_format.ParseDict(job, dataflow_v1beta3.Job.pb()()))


@pytest.mark.parametrize(
    "source, job_type, mode",
    [
        (SUBSCRIPTION, "JOB_TYPE_STREAMING", None),
        (SUBSCRIPTION, "JOB_TYPE_STREAMING", f"--dataflow_service_options={AT_LEAST_ONCE}"),
        (SUBSCRIPTION, "JOB_TYPE_STREAMING", f"--experiments={AT_LEAST_ONCE}"),
        (SUBSCRIPTION, "JOB_TYPE_STREAMING", f"--dataflow_service_options={EXACTLY_ONCE}"),
        (BACKFILL, "JOB_TYPE_BATCH", None),
    ],
    ids=["streaming", "at least once", "at least once, as gcloud says it", "exactly once", "batch"],
)
def test_job_of_a_template(staged, source: dict[str, str], job_type: str, mode: str | None):
    job = staged(*filter(None, [mode]), **source)
    assert (job["type"], job["name"]) == (job_type, "claims")
    environment = job["environment"]
    streaming = job_type == "JOB_TYPE_STREAMING"
    assert "use_runner_v2" in environment["experiments"]
    assert ("enable_streaming_engine" in environment["experiments"]) == streaming
    asked = [mode.partition("=")[2]] if mode else []
    assert environment.get("serviceOptions", []) == asked
    (workers,) = environment["workerPools"]
    assert workers["autoscalingSettings"] == {"maxNumWorkers": ours.MAX_WORKERS}
    assert job["labels"] == {ours.LABEL: prepare.PIPELINE_VERSION.replace(".", "-")}


def test_what_the_operator_says_wins(staged):
    job = staged(
        "--labels=team=billing",
        f'--labels={{"{ours.LABEL}": "mine"}}',
        "--num_workers=20",
        "--no_use_public_ips",
        "--subnetwork=regions/us-central1/subnetworks/private",
        "--dataflow_kms_key=projects/my-project/locations/us/keyRings/r/cryptoKeys/k",
        "--service_account_email=claims@my-project.iam.gserviceaccount.com",
        "--experiments=enable_stackdriver_agent_metrics",
        f"--dataflow_service_options=enable_google_cloud_heap_sampling,{AT_LEAST_ONCE}",
        **SUBSCRIPTION,
    )
    assert job["labels"] == {"team": "billing", ours.LABEL: "mine"}
    environment = job["environment"]
    (workers,) = environment["workerPools"]
    assert workers["numWorkers"] == workers["autoscalingSettings"]["maxNumWorkers"] == 20
    assert workers["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert workers["subnetwork"] == "regions/us-central1/subnetworks/private"
    assert environment["serviceKmsKeyName"].endswith("/k")
    assert environment["serviceAccountEmail"].startswith("claims@")
    assert "enable_stackdriver_agent_metrics" in environment["experiments"]
    assert environment["serviceOptions"] == ["enable_google_cloud_heap_sampling", AT_LEAST_ONCE]


@pytest.mark.parametrize(
    "asked", ["use_runner_v2", "enable_data_sampling", "enable_always_on_exception_sampling"]
)
def test_samples_of_claims_are_kept_only_if_asked_for(staged, asked: str):
    experiments = staged(f"--experiments={asked}", **SUBSCRIPTION)["environment"]["experiments"]
    withheld = "disable_always_on_exception_sampling" in experiments
    assert withheld == (asked == "use_runner_v2")


def test_bound_that_the_operator_sets(staged):
    (workers,) = staged("--max_num_workers=3", **BACKFILL)["environment"]["workerPools"]
    assert workers["autoscalingSettings"] == {"maxNumWorkers": 3}


def endpoint(apis: GoogleApis) -> str:
    """A name with which Beam speaks plain HTTP."""
    return f"--dataflow_endpoint={apis.url.replace('127.0.0.1', 'localhost')}/dataflow"


def test_job_without_a_template(arguments, apis: GoogleApis, dataflow: Dataflow):
    assert main.main(arguments(endpoint(apis), **SUBSCRIPTION)) == 0
    (job,) = map(strictly, dataflow.jobs.values())
    assert (job["name"], job["type"]) == ("claims", "JOB_TYPE_STREAMING")
    assert job["currentState"] == "JOB_STATE_QUEUED"  # nobody waits for more


def test_update(arguments, apis: GoogleApis, dataflow: Dataflow):
    first = {"id": "1", "name": "claims", "currentState": "JOB_STATE_RUNNING"}
    dataflow.jobs["1"] = first | {"projectId": "my-project", "location": "us-central1"}
    update = ("--update", '--transform_name_mapping={"Old": "ParseJson"}', endpoint(apis))
    assert main.main(arguments(*update, **SUBSCRIPTION)) == 0
    job = dataflow.jobs["2026-01-01_00_00_00-2"]
    assert job["replaceJobId"] == "1"
    assert job["transformNameMapping"] == {"Old": "ParseJson"}


def refusal(capsys: pytest.CaptureFixture[str], given: list[str]) -> str:
    """The line with which a launch fails, soon."""
    started = time.monotonic()
    assert main.main(given) == main.EXIT_USAGE
    assert time.monotonic() - started < SOON_SECONDS
    out, err = capsys.readouterr()
    (line,) = (line for line in err.splitlines() if line.startswith("claims: "))
    assert (out, err.splitlines()[-1]) == ("", line)
    return line


@pytest.mark.parametrize("name", ["temp_location", "staging_location"])
def test_missing_bucket(arguments, capsys, name: str):
    line = refusal(capsys, arguments(**SUBSCRIPTION, **{name: "gs://no-such-bucket/temp"}))
    assert line == f"claims: {name}: the bucket no-such-bucket does not exist"


@pytest.mark.parametrize("name", ["input_files", *REFERENCE_FILES])
def test_file_of_this_machine(arguments, capsys, name: str):
    """Workers would fail, or go without the list and say nothing."""
    source = {} if name == "input_files" else SUBSCRIPTION
    line = refusal(capsys, arguments(**source, **{name: str(CLAIMS)}))
    assert line.startswith(f"claims: {name}: must be a gs:// path")


def test_documents_that_only_the_launch_reads_may_be_here(staged, tmp_path: Path):
    schema, claim_map = tmp_path / "claim.schema.json", tmp_path / "map.jsonata"
    schema.write_text(default_contract_text())
    claim_map.write_text("$")
    staged(**SUBSCRIPTION, claim_schema=str(schema), claim_map=str(claim_map))


@pytest.mark.parametrize("option", ["--labels={team", "--sdk_location=/nowhere", "--job_name="])
def test_option_of_beam_that_it_reads_only_at_the_end(
    arguments, capsys, apis: GoogleApis, dataflow: Dataflow, option: str
):
    name = option[2:].partition("=")[0]
    given = arguments(endpoint(apis), option, **({"job_name": None} | SUBSCRIPTION))
    given = [each for each in given if each]
    line = refusal(capsys, given)
    assert line.startswith("claims: Beam: the job could not be submitted ("), name
    assert dataflow.jobs == {}


def test_missing_project(arguments, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    line = refusal(capsys, arguments(**SUBSCRIPTION, project=None))
    assert re.match("claims: Beam: .*[Mm]issing required option: .*project", line)


@pytest.mark.parametrize("state", ["JOB_STATE_DRAINED", "JOB_STATE_QUEUED"])
def test_update_of_no_running_job(
    arguments, capsys, apis: GoogleApis, dataflow: Dataflow, state: str
):
    dataflow.jobs["1"] = {"id": "1", "name": "claims", "currentState": state}
    line = refusal(capsys, arguments("--update", endpoint(apis), **SUBSCRIPTION))
    assert line.startswith("claims: update: the job claims is not running in us-central1")


def test_update_of_an_unnamed_job(arguments, capsys):
    line = refusal(capsys, arguments("--update", job_name=None, **SUBSCRIPTION))
    assert line.startswith("claims: job_name: is required with --update")


class Denying:
    """A service that answers only what it is told to, and 403 to the rest."""

    def __init__(self, api: str, *methods: str, **answers: Any) -> None:
        self.api = api
        service = api.partition(".")[0]
        self.answers = {f"{service}.{method}": self._deny for method in methods}
        for method, answer in answers.items():
            self.answers[f"{service}.{method.replace('_', '.')}"] = lambda call, is_=answer: is_

    def _deny(self, call: Call) -> Any:
        raise ApiError(403, "PERMISSION_DENIED", f"no permission for {call.method}")


@pytest.fixture
def denying() -> Iterator[Any]:
    with google_apis(
        Denying("storage.v1", "buckets.get"), Denying("bigquery.v2", "tables.get")
    ) as apis:
        yield apis
    assert apis.mistakes == []


def test_bucket_without_permission(arguments, capsys, denying, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"{denying.url}/storage")
    line = refusal(capsys, arguments(**SUBSCRIPTION))
    assert re.match(r"claims: temp_location: the bucket bucket-\w+: Google returned 403: ", line)
    assert "may not exist, or " in line and "storage.buckets.get" in line


def test_bucket_of_the_console_is_named_as_such(arguments, capsys, denying, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"{denying.url}/storage")
    bucket = "gs://dataflow-staging-us-central1-123/temp"
    line = refusal(capsys, arguments(temp_location=bucket, **SUBSCRIPTION))
    assert "the console's default" in line


def test_bucket_that_may_be_read_only(arguments, capsys, monkeypatch):
    read_only = Denying(
        "storage.v1",
        buckets_get={"name": "bucket"},
        buckets_testIamPermissions={"permissions": ["storage.objects.get"]},
    )
    with google_apis(read_only) as apis:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"{apis.url}/storage")
        line = refusal(capsys, arguments(**SUBSCRIPTION))
    assert apis.mistakes == []
    assert ": you lack storage.objects.create on the bucket bucket" in line


def test_unreachable_storage(arguments, capsys, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    line = refusal(capsys, arguments(**SUBSCRIPTION))
    assert re.match(r"claims: temp_location: the bucket bucket-\w+ cannot be reached: ", line)


def test_table_without_permission(arguments, capsys, denying, monkeypatch):
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"{denying.url}/bigquery")
    line = refusal(capsys, arguments(**SUBSCRIPTION))
    assert re.match(r"claims: output_table: \S+\.claims: BigQuery returned 403: ", line)
    assert "may not exist, or " in line


def test_job_that_the_service_refuses(arguments, capsys):
    with google_apis(Denying("dataflow.v1b3", "projects.locations.jobs.create")) as apis:
        assert main.main(arguments(endpoint(apis), **SUBSCRIPTION)) == main.EXIT_FAILED
    assert apis.mistakes == []
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("claims: Google returned 403: ")

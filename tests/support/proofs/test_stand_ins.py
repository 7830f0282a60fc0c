"""The stand-ins are as strict as the services: what the others here prove rests on it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.google.dataflow import Dataflow
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import GoogleApis, google_apis
from tests.support.google.storage import Storage

SPEC = {
    "image": "image:1",
    "sdkInfo": {"language": "PYTHON"},
    "metadata": {
        "name": "t",
        "parameters": [
            {"name": "table", "label": "T", "helpText": "t", "regexes": [r"^\w+:\w+\.\w+$"]},
            {"name": "notes", "label": "N", "helpText": "n", "isOptional": True},
        ],
    },
}
JOBS = f"/dataflow/v1b3/projects/{PROJECT}/locations/us-central1/jobs"
LAUNCH = JOBS.replace("/jobs", "/flexTemplates:launch")


@pytest.fixture
def strict(dataflow: Dataflow) -> Iterator[GoogleApis]:
    """Stand-ins that may be asked what is wrong."""
    with google_apis(dataflow) as started:
        yield started


def ask(apis: GoogleApis, verb: str, path: str, body: object = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(apis.url + path, data=data, method=verb)) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


WRONG = {
    "no such API": ("GET", "/nonsense/v1/x", None),
    "no such method": ("POST", JOBS + "/1:explode", None),
    "no such query": ("GET", JOBS + "?colour=red", None),
    "no such field": ("POST", LAUNCH, {"launchParameter": {"jobName": "j", "colour": "red"}}),
    "wrong type": ("POST", LAUNCH, {"launchParameter": {"jobName": 1}}),
    "wrong value": ("PUT", JOBS + "/1", {"requestedState": "JOB_STATE_NONSENSE"}),
    "body where none belongs": ("GET", JOBS, {"jobName": "j"}),
    "not answered": ("GET", JOBS + "/1/messages", None),
}


@pytest.mark.parametrize("verb, path, body", WRONG.values(), ids=WRONG)
def test_what_the_service_would_not_take_is_a_mistake(
    strict: GoogleApis, verb: str, path: str, body: object
):
    assert ask(strict, verb, path, body) == 501
    assert len(strict.mistakes) == 1


def test_an_answer_that_the_service_would_not_give_is_a_mistake(
    strict: GoogleApis, dataflow: Dataflow
):
    dataflow.jobs["1"] = {"name": "j", "currentState": "JOB_STATE_NONSENSE"}
    assert ask(strict, "GET", JOBS) == 501
    assert "JOB_STATE_NONSENSE" in strict.mistakes[0]


@pytest.fixture
def template(storage: Storage) -> str:
    """A template in a bucket."""
    address = f"gs://{storage.new_bucket()}/spec.json"
    storage.write(address, json.dumps(SPEC).encode())
    return address


def launch(gcloud: Gcloud, template: str, parameters: str) -> subprocess.CompletedProcess[str]:
    flags = (f"--template-file-gcs-location={template}", "--region=us-central1", "--format=json")
    run = ("gcloud", "dataflow", "flex-template", "run", "job", *flags)
    return gcloud.run(*run, f"--parameters={parameters}", check=False)


def test_launch(gcloud: Gcloud, apis: GoogleApis, dataflow: Dataflow, template: str):
    launched = launch(gcloud, template, '^~^table=a:b.c~notes=commas, = and "quotes"')
    assert launched.returncode == 0, launched.stderr
    assert json.loads(launched.stdout)["job"]["id"] in dataflow.jobs
    (body,) = apis.bodies("dataflow.projects.locations.flexTemplates.launch")
    assert body["launchParameter"]["parameters"] == {
        "table": "a:b.c",
        "notes": 'commas, = and "quotes"',
    }
    again = launch(gcloud, template, "table=a:b.c")
    assert again.returncode == 1 and "active job" in again.stderr


def test_wrong_parameters_are_refused(gcloud: Gcloud, template: str):
    refused = launch(gcloud, template, "notes=n,tabel=a:b.c")
    assert refused.returncode == 1
    assert "tabel: Unrecognized parameter; table: Missing required" in refused.stderr
    refused = launch(gcloud, template, "table=nonsense")
    assert refused.returncode == 1
    assert "table: Unmatched regex" in refused.stderr


def test_storage_as_gcloud_sees_it(gcloud: Gcloud, storage: Storage, tmp_path: Path):
    bucket = storage.new_bucket()
    (tmp_path / "file").write_text("text")
    gcloud.run("gcloud", "storage", "cp", tmp_path / "file", f"gs://{bucket}/a/b.json")
    assert storage.read(f"gs://{bucket}/a/b.json") == b"text"
    (before,) = storage.objects(bucket).items()
    storage.write(f"gs://{bucket}/a/b.json", b"text")
    (after,) = storage.objects(bucket).items()
    assert before[0] == after[0] == "a/b.json" and before[1] != after[1]
    with pytest.raises(FileNotFoundError):
        storage.read(f"gs://{bucket}/none")

"""cloudbuild.yaml as Cloud Build gets it from the real gcloud, and what its steps do.

The steps that only call gcloud are run, too, each as its container would run it; those that need
a compiler, an engine or a scanner are not.
"""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.google.build_config import environment
from tests.support.google.cloud_build import CloudBuild
from tests.support.google.dataflow import Dataflow
from tests.support.google.docker_shim import DockerShim
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import GoogleApis
from tests.support.google.storage import Storage

ROOT = Path(__file__).parents[3]
RENAMED = {"ParseClaims, of old/ParDo(Parse)": "ParseJson"}
IMAGE = f"us-central1-docker.pkg.dev/{PROJECT}/claims/claims"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """What the steps share: the sources that they need."""
    directory = tmp_path / "workspace"
    directory.mkdir()
    for name in ("build_template.sh", "cloudbuild.yaml", "metadata.json", "pyproject.toml"):
        shutil.copy(ROOT / name, directory)
    names = directory / "claims_ops/deployment/transform_names.json"
    names.parent.mkdir(parents=True)
    names.write_text(json.dumps(RENAMED))
    return directory


def run_step(gcloud: Gcloud, workspace: Path, step: dict[str, Any], **more: str) -> str:
    """Run the script of a step, and return what it printed."""
    script = workspace / f"{step['id']}.step"
    script.write_text(step["script"])
    command = f"cd {shlex.quote(str(workspace))} && bash {script.name}"
    return gcloud.run("bash", "-c", command, **environment(step) | more).stdout


def submitted(gcloud: Gcloud, cloud_build: CloudBuild, *command: str | Path) -> dict[str, Any]:
    """The build that a command starts."""
    gcloud.run(*command)
    (build,) = cloud_build.builds.values()
    return build


def test_the_build_that_build_template_starts(
    gcloud: Gcloud, cloud_build: CloudBuild, storage: Storage, workspace: Path
):
    bucket = storage.new_bucket()
    flags = ("--bucket", bucket, "--tag", "v1.2.0", "--region", "europe-west3")
    script = workspace / "build_template.sh"
    dry = gcloud.run(script, "--cloud-build", "--dry-run", *flags).stdout
    (command,) = (line[2:] for line in dry.splitlines() if " builds submit " in line)
    build = submitted(gcloud, cloud_build, "bash", "-c", f"cd {workspace} && {command}")

    image = f"europe-west3-docker.pkg.dev/{PROJECT}/claims/claims"
    steps = {step["id"]: step for step in build["steps"]}
    assert list(steps) == [
        *("lint", "test", "build", "push", "sbom", "keep-sbom", "register", "launch")
    ]
    assert environment(steps["build"]).items() >= {"IMAGE": image, "TAG": "v1.2.0"}.items()
    assert environment(steps["register"]) == {
        "PROJECT": PROJECT,
        "REGION": "europe-west3",
        "REPOSITORY": "claims",
        "BUCKET": bucket,
        "TAG": "v1.2.0",
        "FORCE": "",
    }
    assert environment(steps["launch"])["JOB"] == ""
    assert build["images"] == [f"{image}:v1.2.0"]
    account = f"claims-build@{PROJECT}.iam.gserviceaccount.com"
    assert build["serviceAccount"] == f"projects/{PROJECT}/serviceAccounts/{account}"
    assert build["source"]["storageSource"]["bucket"] == bucket
    without_scripts = [{**step, "script": ""} for step in build["steps"]]
    assert "$" not in json.dumps({**build, "steps": without_scripts})


@pytest.mark.parametrize("name", ["-x", "claims --update", "Claims", "claims,_FORCE=1"])
def test_a_name_that_is_no_job_launches_nothing(name: str, workspace: Path):
    config = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
    (step,) = (step for step in config["steps"] if step["id"] == "launch")
    script = workspace / "launch.step"
    script.write_text(step["script"])
    given = dict.fromkeys(("PROJECT", "REGION", "BUCKET", "TAG", "PARAMETERS"), "x")
    ended = subprocess.run(
        ["bash", script],
        env={"PATH": os.environ["PATH"], **given, "WORKER_ACCOUNT": "", "JOB": name},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr == f"_JOB: {name} is not a valid job name\n"


def test_the_steps_register_launch_and_update(
    gcloud: Gcloud,
    apis: GoogleApis,
    cloud_build: CloudBuild,
    dataflow: Dataflow,
    docker: DockerShim,
    storage: Storage,
    workspace: Path,
):
    bucket = storage.new_bucket()
    parameters = {
        "input_subscription": f"projects/{PROJECT}/subscriptions/claims",
        "output_table": f"{PROJECT}:claims.claims",
        "error_table": f"{PROJECT}:claims.errors",
        "message_id_attribute": 'commas, = and "quotes"',
    }
    given = {
        "_TAG": "v1",
        "_BUCKET": bucket,
        "_JOB": "claims",
        "_PARAMETERS": "^~^" + "~".join(f"{key}={value}" for key, value in parameters.items()),
        "_WORKER_ACCOUNT": f"workers@{PROJECT}.iam.gserviceaccount.com",
    }
    build = submitted(
        gcloud,
        cloud_build,
        *("gcloud", "builds", "submit", "--no-source", "--region", "us-central1"),
        *("--config", ROOT / "cloudbuild.yaml", "--substitutions"),
        "^|^" + "|".join(f"{key}={value}" for key, value in given.items()),
    )
    steps = {step["id"]: step for step in build["steps"]}
    found = docker.install()
    run_step(gcloud, workspace, steps["push"], **found)
    digest = f"{IMAGE}@{docker.pushed()[f'{IMAGE}:v1']}"
    assert (workspace / "image_digest").read_text() == f"{digest}\n"
    # A retry has built something else under the same tag, which its template does not name.
    assert f"unchanged: {IMAGE}:v1" in run_step(gcloud, workspace, steps["push"], **found)
    assert (workspace / "image_digest").read_text() == f"{digest}\n"

    run_step(gcloud, workspace, steps["register"])
    spec = json.loads(storage.read(f"gs://{bucket}/templates/claims/v1.json"))
    assert spec["image"] == digest == spec["defaultEnvironment"]["sdkContainerImage"]

    for update in (None, True):  # the second time the job runs already
        run_step(gcloud, workspace, steps["launch"])
        launch = apis.bodies("dataflow.projects.locations.flexTemplates.launch")[-1]
        asked = launch["launchParameter"]
        assert asked["parameters"] == parameters
        assert asked.get("update") is update
        assert asked.get("transformNameMappings") == (RENAMED if update else None)
        assert asked["environment"]["serviceAccountEmail"] == given["_WORKER_ACCOUNT"]
        assert asked["environment"]["maxWorkers"] == 10
        (running,) = dataflow.active("claims")

    steps["launch"]["env"] = [
        "JOB=" if each.startswith("JOB=") else each for each in steps["launch"]["env"]
    ]
    assert "Nothing to launch" in run_step(gcloud, workspace, steps["launch"])
    assert dataflow.active("claims") == [running]

    run_step(gcloud, workspace, steps["push"], **found, FORCE="1")
    assert (workspace / "image_digest").read_text() != f"{digest}\n"

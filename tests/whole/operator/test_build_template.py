"""build_template.sh where it need not build: its arguments, its dry run, its refusals.

What it builds and registers, and that a second run changes nothing, is in test_operator_path.py.
"""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.google.docker_shim import DockerShim
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import GoogleApis
from tests.support.google.storage import Storage
from workshop.pin import LIST, images

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "build_template.sh"
IMAGE = "us-central1-docker.pkg.dev/my-project/claims/claims@sha256:" + "0" * 64


def test_help_needs_nothing(tmp_path: Path):
    bash = shutil.which("bash")
    assert bash
    shown = subprocess.run(
        [bash, SCRIPT, "--help"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    for flag in ("project", "region", "repository", "bucket", "tag", "cloud-build", "dry-run"):
        assert f"  --{flag} " in shown.stdout


WRONG = {
    "unknown flag": (["--nonsense"], "unknown argument: --nonsense (see --help)"),
    "misspelt flag": (["--projct=x"], "unknown argument: --projct=x; did you mean --project?"),
    "flag in capitals": (["--TAG", "v1"], "unknown argument: --TAG; did you mean --tag?"),
    "flag without dashes": (["cloud-build"], "unknown argument: cloud-build; did you mean --clou"),
    "stray word": (["my-project"], "unknown argument: my-project"),
    "no value": (["--project"], "--project needs a value"),
    "flag for a value": (["--project", "--dry-run"], "--project needs a value"),
    "value that looks like a flag": (["--bucket=-f"], "--bucket needs a value"),
    "tag": (["--tag=a/b"], "--tag: a/b is not a valid image tag"),
    "comma in a tag": (["--tag=v1,_FORCE=1"], "--tag: v1,_FORCE=1 is not a valid image tag"),
    "comma in a repository": (
        ["--repository=r,_JOB=x"],
        "--repository: r,_JOB=x is not a valid repository name",
    ),
    "comma in a region": (
        ["--region=us-central1,a"],
        "--region: us-central1,a is not a valid region name",
    ),
    "project": (["--project=My_Project"], "--project: My_Project is not a valid project ID"),
    "line end": (["--tag=v1\n"], "--tag: v1  is not a valid image tag"),
    "image by tag": (["--image", "name:v1"], "--image: name:v1 is not an image with its digest"),
}


@pytest.mark.parametrize("arguments, said", WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_one_line(offline: Gcloud, arguments: list[str], said: str):
    refused = offline.run(SCRIPT, *arguments, check=False, PROJECT=PROJECT)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"build_template.sh: {said}")
    assert refused.stderr.count("\n") == 1


def test_no_project_is_one_line(gcloud: Gcloud):
    refused = gcloud.run(SCRIPT, check=False, CLOUDSDK_CORE_PROJECT="")
    assert refused.returncode == 2
    assert "--project" in refused.stderr and refused.stderr.count("\n") == 1


WARNING = "warning: base images are referenced by tag, and tags can move; run: make pin\n"
if all("@sha256:" in image for image in images((ROOT / LIST).read_text()).values()):
    WARNING = ""


@pytest.fixture
def offline(tmp_path: Path) -> Gcloud:
    """gcloud to which all of Google is a closed port."""
    return Gcloud(tmp_path)


@pytest.mark.parametrize("builder", ["docker", "cloud-build"])
def test_dry_run_prints_every_command_and_needs_no_network(
    offline: Gcloud, docker: DockerShim, builder: str
):
    flags = ["--cloud-build"] if builder == "cloud-build" else []
    dry = offline.run(SCRIPT, "--dry-run", "--tag", "v1", *flags, **docker.install())
    assert dry.stderr == WARNING
    assert docker.calls == []
    printed = [line.split()[1:4] for line in dry.stdout.splitlines() if line.startswith("+ ")]
    built = {
        "docker": [["gcloud", "auth", "configure-docker"], ["env", "DOCKER_BUILDKIT=1", "docker"]]
        + [["docker", "push", f"us-central1-docker.pkg.dev/{PROJECT}/claims/claims:v1"]],
        "cloud-build": [["gcloud", "builds", "submit"]],
    }
    assert printed == [
        ["gcloud", "services", "enable"],
        ["gcloud", "storage", "buckets"],
        ["gcloud", "artifacts", "repositories"],
        *built[builder],
        ["gcloud", "dataflow", "flex-template"],
        ["gcloud", "storage", "cp"],
        ["gcloud", "storage", "cp"],
    ]


def test_names_follow_from_flags_or_environment(offline: Gcloud):
    flags = ("--project=example.com:my-project", "--region=europe-west3", "--repository", "r")
    dry = offline.run(SCRIPT, "--dry-run", "--tag=v1", *flags).stdout
    assert " europe-west3-docker.pkg.dev/example.com/my-project/r/claims:v1 " in dry
    assert " gs://example-com-my-project-claims/templates/claims/v1.json" in dry
    environment = {"REGION": "europe-west3", "REPOSITORY": "r", "TAG": "v1"}
    project = {"PROJECT": "example.com:my-project"}
    again = offline.run(SCRIPT, "--dry-run", **environment, **project).stdout
    assert without_scratch(again) == without_scratch(dry)
    other = offline.run(SCRIPT, "--dry-run", "--tag", "v2", **environment, **project).stdout
    assert without_scratch(other) == without_scratch(dry).replace("v1", "v2")


@pytest.mark.parametrize(
    "project, account",
    [
        (PROJECT, f"claims-build@{PROJECT}.iam.gserviceaccount.com"),
        ("example.com:my-project", "claims-build@my-project.example.com.iam.gserviceaccount.com"),
        (
            "a.example.com:my-project",
            "claims-build@my-project.a.example.com.iam.gserviceaccount.com",
        ),
    ],
)
def test_account_of_the_build(offline: Gcloud, project: str, account: str):
    flags = ("--cloud-build", f"--project={project}", "--tag=v1")
    assert f"_SERVICE_ACCOUNT={account} " in offline.run(SCRIPT, "--dry-run", *flags).stdout


@pytest.mark.parametrize(
    "address, shown",
    [
        ("https://token:secret@github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://token:s@secret@github.com/o/r.git", "https://github.com/o/r.git"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("https://github.com/o/r.git,_JOB=claims", ""),
        ("https://github.com/o/r.git\n_JOB=claims", ""),
    ],
)
def test_address_of_the_source_is_no_other_substitution(
    offline: Gcloud, tmp_path: Path, address: str, shown: str
):
    git = tmp_path / "bin/git"
    git.parent.mkdir()
    said = f"printf '%s\\n' {shlex.quote(address)}"
    git.write_text(f"#!/bin/sh\n[ $1 = config ] && {said} || echo 0123abc\n")
    git.chmod(0o755)
    given = {"PATH": f"{git.parent}:{os.environ['PATH']}", "PROJECT": PROJECT}
    dry = offline.run(SCRIPT, "--dry-run", "--cloud-build", "--tag=v1", **given).stdout
    (line,) = (line for line in dry.splitlines() if " builds submit " in line)
    words = shlex.split(line)
    given = dict(
        each.split("=", 1) for each in words[words.index("--substitutions") + 1].split(",")
    )
    assert (given["_SOURCE"], given["_REVISION"]) == (shown, "0123abc")
    assert "_JOB" not in line and "secret" not in line


def without_scratch(printed: str) -> str:
    """Without the names of temporary files."""
    return "\n".join(
        " ".join(w for w in line.split(" ") if "/tmp" not in w) for line in printed.splitlines()
    )


@pytest.mark.parametrize(
    "gcloud_does, said",
    [
        ("echo 'ERROR: refused' >&2; exit 1", "gcloud could not build the template"),
        ("exit 0", "gcloud did not print a template specification"),
        ("echo '[]'", "gcloud did not print a template specification"),
        ("echo '{}'", "gcloud did not print a template specification"),
    ],
)
def test_a_template_that_gcloud_does_not_print(gcloud_does: str, said: str, tmp_path: Path):
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(f"#!/bin/sh\n{gcloud_does}\n")
    gcloud.chmod(0o755)
    ended = subprocess.run(
        [SCRIPT, "--project", PROJECT, "--tag=v1", "--image", IMAGE],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if line != "ERROR: refused"]
    assert len(lines) == 1 and lines[0].startswith(f"build_template.sh: {said}")


def test_a_registered_version_does_not_change(gcloud: Gcloud, storage: Storage, apis: GoogleApis):
    bucket = storage.new_bucket()
    other = json.dumps({"image": "another"}).encode()
    storage.write(f"gs://{bucket}/templates/claims/v1.json", other)
    before = storage.objects(bucket)
    command = (SCRIPT, "--bucket", bucket, "--tag", "v1", "--image", IMAGE)
    refused = gcloud.run(*command, check=False)
    assert refused.returncode == 1
    assert "v1.json already exists with different content" in refused.stderr
    assert storage.objects(bucket) == before

    gcloud.run(*command, "--force")
    assert json.loads(storage.read(f"gs://{bucket}/templates/claims/v1.json"))["image"] == IMAGE
    assert storage.objects(bucket).keys() == {
        "templates/claims/v1.json",
        "templates/claims/latest.json",
    }
    assert apis.calls == []  # an image that is given is not asked for

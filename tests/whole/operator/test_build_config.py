"""cloudbuild.yaml as a document: valid by schema and API, and free of what these overlook."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.google import build_config
from tests.support.google.discovery import api

ROOT = Path(__file__).parents[3]
CONFIG = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
CASES = yaml.safe_load((ROOT / "tests/cases/cloud_build/mistakes.yaml").read_text())


def test_valid_by_the_schema():
    checker = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.cloudbuild")
    checked = subprocess.run([*checker, ROOT / "cloudbuild.yaml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_valid_by_the_api():
    api("cloudbuild.v1").check("Build", CONFIG)


def test_free_of_mistakes():
    assert build_config.mistakes(CONFIG) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: "; ".join(case["wrong"]) or "right")
def test_mistakes_are_found(case: dict[str, Any]):
    assert build_config.mistakes(case["build"]) == case["wrong"]


def test_every_substitution_is_made():
    resolved = build_config.resolve(CASES[0]["build"])
    assert resolved["substitutions"] == {"_A": "my-project-a", "_B": "b"}
    assert resolved["steps"][0]["args"] == ["my-project-a", "$_C", "b"]
    assert resolved["steps"][1]["script"] == "echo ${LOCAL}"


SCRIPTS = {step["id"]: step["script"] for step in CONFIG["steps"] if "script" in step}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_scripts_are_clean(script: str):
    shellcheck = Path(sys.executable).with_name("shellcheck")
    checked = subprocess.run([shellcheck, "-"], input=script, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_every_step_is_bounded_and_named():
    for step in CONFIG["steps"]:
        assert step["id"] and int(step["timeout"].removesuffix("s")) > 0


def test_what_only_reports_keeps_no_release():
    awaited = {each for step in CONFIG["steps"] for each in step.get("waitFor", ())}
    reports = {step["id"] for step in CONFIG["steps"] if step.get("allowFailure")}
    assert reports == {"sbom", "keep-sbom"}
    assert reports & awaited <= {"sbom"}  # one report waits for the other
    assert "artifacts" not in CONFIG, "a missing artifact would fail the build"


def test_whoever_uses_the_template_waits_for_the_checks():
    """Of the steps, only the build of the image may run beside them."""
    awaited = {step["id"]: set(step.get("waitFor", ())) for step in CONFIG["steps"]}

    def before(step: str) -> set[str]:
        direct = awaited[step] - {"-"}
        return direct.union(*(before(each) for each in direct))

    for step in awaited.keys() - {"lint", "test", "build"}:
        assert {"lint", "test", "build"} <= before(step)


def test_least_privilege_and_logs():
    assert CONFIG["serviceAccount"].endswith("/${_SERVICE_ACCOUNT}")
    assert CONFIG["substitutions"]["_SERVICE_ACCOUNT"].startswith("claims-build@")
    assert CONFIG["options"]["logging"] == "CLOUD_LOGGING_ONLY"
    assert CONFIG["tags"] and CONFIG["timeout"]

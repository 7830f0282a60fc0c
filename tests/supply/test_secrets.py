"""No secret is in the repository, and one that were would be found, wherever it is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.emulators.local_server import ServerMissing
from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]
NOT_OURS = (
    *(".git", ".venv", "build", "**/__pycache__"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
)
# Made up, and in parts, so that this file is not what is found.
PLANTED = {
    "aws-access-key-id": "AWS_ACCESS_KEY_ID=" + "AKIA" + "Q3EGV5N7RT2ZXK4B",
    "github-pat": "token = ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "private-key": "-----BEGIN PRIVATE " + f"KEY-----\n{'MIIEvQ' * 40}\n-----END PRIVATE KEY-----",
    "gcp-service-account": json.dumps({"type": "service" + "_account", "project_id": "p"}),
}
PLACES = (
    "deploy.env",
    "pipeline/launch/prepare.py",
    "tests/test_x.py",
    "docs/x.md",
    "tests/cases/x.json",
)


def secrets_in(folder: Path, cache: Path) -> set[tuple[str, str]]:
    """File and rule of each find."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    trivy = shutil.which("trivy", path=path)
    if trivy is None:
        unavailable(ServerMissing("Trivy is missing: brew install trivy"))
    config = Path(__file__).with_name("trivy_secret.yaml")
    skipped = [f"--skip-dirs={name}" for name in NOT_OURS]
    search = [trivy, "fs", "--quiet", "--offline-scan", "--scanners=secret", "--format=json"]
    found = subprocess.run(
        [*search, f"--cache-dir={cache}", f"--secret-config={config}", *skipped, folder],
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "TRIVY_SKIP_VERSION_CHECK": "true"},
    )
    results = json.loads(found.stdout).get("Results", [])
    return {(each["Target"], one["RuleID"]) for each in results for one in each.get("Secrets", [])}


def test_there_are_none(tmp_path: Path):
    assert secrets_in(ROOT, tmp_path) == set()


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_one_is_found_in_every_place(rule: str, tmp_path: Path):
    tree = tmp_path / "tree"
    for place in PLACES:
        path = tree / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{PLANTED[rule]}\n")
    assert {place for place, found in secrets_in(tree, tmp_path / "cache") if found == rule} == set(
        PLACES
    )

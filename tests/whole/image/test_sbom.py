"""The bill of materials of the image, and the search for secrets that comes with it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.whole.image import containers, engine
from tests.whole.image.containers import PYTHON

BUILD = engine.HERE.parents[2] / "build"
PURL = r"pkg:pypi/([^@']+)@([^']+)"
# Made up, as everything here; in parts, so that no search of the repository finds it.
SECRET = "AWS_ACCESS_KEY_ID=" + "AKIA" + "Q3EGV5N7RT2ZXK4B"


@pytest.fixture(scope="module")
def results(image: str) -> list[dict[str, Any]]:
    """What the search found, by kind of package."""
    engine.call(engine.HERE / "sbom.sh", image)
    return json.loads((BUILD / "image.json").read_text())["Results"]


def test_it_lists_every_package(results: list[dict[str, Any]], image: str):
    bill = json.loads((BUILD / "sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == image
    purls = [component.get("purl", "").split("?")[0] for component in bill["components"]]
    listed = {(canonicalize_name(name), version) for name, version in re.findall(PURL, str(purls))}
    asked = containers.confined(image, "-m", "pip", "freeze", "--all", entrypoint=PYTHON)
    frozen = re.findall(r"^(\S+)==(\S+)$", containers.ended(asked).out, re.M)
    assert len(frozen) > 100
    assert {(canonicalize_name(name), version) for name, version in frozen} <= listed
    assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in purls)


def test_there_are_no_secrets(results: list[dict[str, Any]], tmp_path: Path):
    assert [secret for result in results for secret in result.get("Secrets", [])] == []
    (tmp_path / "settings.env").write_text(SECRET)
    search = ("trivy", "fs", "--quiet", "--offline-scan", "--scanners=secret", "--format=json")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = subprocess.run(
        [*search, tmp_path], capture_output=True, check=True, env=os.environ | {"PATH": path}
    )
    assert json.loads(found.stdout)["Results"][0]["Secrets"]

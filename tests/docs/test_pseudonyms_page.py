"""docs/operate/pseudonyms.md, done as it says: who has the key finds a patient."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.privacy.pseudonymisation import read_key
from pipeline.privacy.pseudonyms import Pseudonyms
from tests.support.docs.pages import ROOT, Page, pages

MAKE_KEY, FIND = (
    block.text.partition("\n\n")[0]  # what follows launches a job
    for block in Page(ROOT, ROOT / "docs/operate/pseudonyms.md").blocks()
    if not block.language and "claims-pseudonyms" in block.text
)
SECRET_MANAGER = """
gcloud() {
    case "$1 $2 $3" in
    "secrets create claims-pseudonyms") cat > key ;;
    "secrets versions access") cat key ;;
    esac
}
"""
"""The two commands of gcloud that the page uses, with a file as the secret."""


def shell(script: str, directory: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c", SECRET_MANAGER + script]
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = os.environ | {"PROJECT": "my-project", "PATH": programs}
    return subprocess.run(
        command, cwd=directory, env=said, capture_output=True, text=True, check=True, timeout=30
    ).stdout


def test_a_patient_is_found_with_the_key(tmp_path: Path):
    if not shutil.which("openssl"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no openssl")
    shell(MAKE_KEY, tmp_path)
    found = shell(FIND, tmp_path).strip()
    pseudonym = Pseudonyms(read_key(str(tmp_path / "key"))).of("patient_id", "PAT-1")
    assert found == pseudonym


def test_no_key_is_an_argument():
    """Others on the machine can list those: a key comes through a pipe or is named."""
    for page in pages():
        for block in page.blocks():
            if block.language == "":
                assert not re.search(r"secrets versions access[^|]*[)`]", block.text), block.place
                assert not re.search(r"-hmac|-macopt|--data-literal", block.text), block.place

"""The core works where there is neither Beam nor a Google client."""

import pkgutil
import subprocess
import sys

import pipeline.claims

MODULES = [
    "pipeline.claims",
    *(
        module.name
        for module in pkgutil.walk_packages(pipeline.claims.__path__, "pipeline.claims.")
    ),
]
PROGRAM = """
import importlib, sys
for blocked in ("apache_beam", "google", "google.cloud", "grpc"):
    sys.modules[blocked] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
from pipeline.claims.contract import Contract
from pipeline.claims.documents import check_contract, check_rules
from pipeline.claims.rules import Rules
check_rules(Rules.default().text, check_contract(Contract.default().text))
"""


def run(modules: list[str]) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-c", PROGRAM, *modules], capture_output=True)


def test_every_module_imports_without_beam_and_google() -> None:
    done = run(MODULES)
    assert done.returncode == 0, done.stderr.decode()


def test_block_blocks() -> None:
    done = run(["apache_beam"])
    assert done.returncode != 0
    assert b"apache_beam" in done.stderr

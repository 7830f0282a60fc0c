"""The fuzzer itself: a short run of each target, and that it notices a crash and a hang."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.emulators.local_server import ServerMissing
from tests.conftest import unavailable
from tests.support.fuzz import fuzz
from tests.support.fuzz.fuzz import Run

SECONDS = 4
"""For each target."""
BROKEN = {"crash": "IndexError", "hang": "ERROR: libFuzzer: timeout after"}
"""A fault, and what the fuzzer says of it."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Run]]]:
    """All runs, two at a time: each takes as long to start as to fuzz."""
    if not fuzz.is_here():
        unavailable(ServerMissing("atheris has no wheel for this platform: nothing is fuzzed"))

    def broken(fault: str) -> Run:
        prefix = f"-artifact_prefix={tmp_path_factory.mktemp(fault)}/"
        corpus: Path = fuzz.CORPUS / "decode"
        return fuzz.run("decode", prefix, "-timeout=1", corpus, seconds=SECONDS, fault=fault)

    with ThreadPoolExecutor(2) as pool:
        started = {fault: pool.submit(broken, fault) for fault in BROKEN}
        yield started | {name: pool.submit(fuzz.fuzz, name, SECONDS) for name in fuzz.TARGETS}


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_nothing_is_found(target: str, runs: dict[str, Future[Run]]):
    done = runs[target].result()
    assert done.exit_code == 0, done.log[-4_000:]
    assert done.executions > 100
    assert done.coverage > 50


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_is_found(fault: str, runs: dict[str, Future[Run]]):
    done = runs[fault].result()
    assert done.exit_code != 0
    assert BROKEN[fault] in done.log

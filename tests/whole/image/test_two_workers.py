"""Two workers of the image at once, by Beam's own boot, and one of them is killed on the way.

Prism gives a job one worker, and fails the job whose worker dies. So two backfills of half the
lines each share a worker pool: one container, in which boot starts each worker. The one that fails
is launched again, as an operator would.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from testcontainers.core.wait_strategies import ExecWaitStrategy

from claims_ops.reconcile.command import line_ids
from sandbox.emulators.emulators import PROJECT, BigqueryServer
from tests.support import beam_programs
from tests.support.bigquery.fault_server import FaultServer
from tests.whole.image import containers
from tests.whole.image.containers import PYTHON
from tests.whole.image.test_worker import CONNECT, POOL_PORT, tables

CLAIMS = int(os.environ.get("ENGINES_CLAIMS", "60000"))
SECONDS = 120 + CLAIMS // 1000
KILL_THE_BUSIEST = """
import os, pathlib, signal
HARNESS = b"apache_beam.runners.worker.sdk_worker_main"
harnesses = {}
for path in pathlib.Path("/proc").glob("[0-9]*"):
    if (path / "cmdline").read_bytes().split(b"\\0")[2:3] == [HARNESS]:
        user, system = (path / "stat").read_text().rpartition(")")[2].split()[11:13]
        harnesses[int(path.name)] = int(user) + int(system)
print(len(harnesses))
os.kill(max(harnesses, key=harnesses.get), signal.SIGKILL)
"""

pytestmark = pytest.mark.timeout(3 * SECONDS, func_only=True)


class Ids(list[str]):
    """Keeps the message ids of rows alone: a million rows are too much to hold."""

    def __iadd__(self, rows: Any) -> "Ids":
        self.extend(row["message_id"] for row in rows)
        return self


@pytest.fixture
def halves(claims: list[bytes], tmp_path: Path) -> list[Path]:
    """Two files of half the lines each; a tenth of the lines are no claims."""
    paths = [tmp_path / "a.ndjson", tmp_path / "b.ndjson"]
    for path in paths:
        with path.open("wb") as file:
            for number, line in enumerate(islice(cycle(claims), CLAIMS // 2)):
                file.write((b"not a claim" if number % 10 == 0 else line) + b"\n")
    return paths


@pytest.fixture
def pool(image: str, halves: list[Path]) -> Iterator[Any]:
    """A container that starts workers; it shares the network of this machine."""
    mounts = {path: str(path) for path in halves}
    container = containers.confined(image, "--worker_pool", network="host", mounts=mounts)
    with container.waiting_for(ExecWaitStrategy([PYTHON, "-c", CONNECT])):
        yield container


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be ended after the test."""
    with ExitStack() as stack:
        yield stack


def test_a_killed_worker_loses_nothing(
    pool: Any,
    halves: list[Path],
    store: FaultServer,
    dataset: str,
    bigquery_server: BigqueryServer,
    stack: ExitStack,
):
    rows = [Ids(), Ids()]
    for table, ids in zip(store.tables.values(), rows, strict=True):
        table.rows = ids

    def launch(path: Path) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline.main", f"--project={PROJECT}"),
                *("--runner=PrismRunner", f"--prism_location={beam_programs.prism()}"),
                *("--environment_type=EXTERNAL", f"--environment_config=localhost:{POOL_PORT}"),
                *(f"--input_files={path}", *tables(dataset)),
                f"--bigquery_storage_endpoint={store.address}",
            ],
            env=os.environ | bigquery_server.environment,
            stderr=stack.enter_context(path.with_suffix(".log").open("wb")),
        )
        stack.callback(process.kill)
        return process

    running = {path: launch(path) for path in halves}
    deadline = time.monotonic() + SECONDS
    begun: set[str] = set()
    while len(begun) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        begun = {name.rpartition(":")[0] for name in rows[0][::500]}
    killed, workers = pool.exec([PYTHON, "-c", KILL_THE_BUSIEST])
    assert killed == 0, workers
    assert len(begun) == 2 == int(workers)
    before = sum(map(len, rows))
    assert 0 < before < CLAIMS

    codes = {path: process.wait(SECONDS) for path, process in running.items()}
    [failed] = [path for path, code in codes.items() if code]
    assert codes[failed] == 1
    said = failed.with_suffix(".log")
    assert "SDK worker disconnected" in said.read_text()
    assert "signal: killed\nrestarting SDK process" in said.read_text()  # says boot
    assert launch(failed).wait(SECONDS) == 0, said.read_text()

    written = Counter(rows[0] + rows[1])
    assert written.keys() == {name for path in halves for name in line_ids(str(path))}
    twice = {name for name, times in written.items() if times > 1}
    assert {name.rpartition(":")[0] for name in twice} <= {str(failed)}
    assert not set(rows[0]) & set(rows[1])
    print(
        f"\n{CLAIMS} lines, {before} rows when a worker was killed: 0 missing,"
        f" {written.total() - CLAIMS} duplicates"
    )

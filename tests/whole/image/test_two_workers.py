"""Two workers of the image at once, by Beam's own boot, and one of them is killed on the way.

Prism gives a job one worker, and fails the job whose worker dies. So there are two backfills of
half the lines each; the one that fails is launched again, as an operator would. Each has a worker
pool of its own: Prism names the workers of all jobs alike, and the end of one job would stop the
worker of the other.
"""

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, cycle, islice, repeat
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2
from testcontainers.core.wait_strategies import ExecWaitStrategy

from claims_ops.reconcile.command import line_ids
from sandbox.emulators.emulators import PROJECT, BigqueryServer
from tests.support import beam_programs
from tests.support.bigquery.fault_server import Fault, FaultServer
from tests.whole.image import containers
from tests.whole.image.containers import PYTHON
from tests.whole.image.test_worker import tables

CLAIMS = int(os.environ.get("ENGINES_CLAIMS", "60000"))
SECONDS = 120 + CLAIMS // 1000
KILL = """
import os, pathlib, signal
[harness] = [
    int(path.parts[2])
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
    if path.read_bytes().split(b"\\0")[2:3] == [b"apache_beam.runners.worker.sdk_worker_main"]
]
os.kill(harness, signal.SIGKILL)
"""

pytestmark = pytest.mark.timeout(3 * SECONDS, func_only=True)


class Ids(list[str]):
    """Keeps the message ids of rows alone: a million rows are too much to hold.

    It takes its time, so that a worker can be killed between two requests.
    """

    def __iadd__(self, rows: Any) -> "Ids":
        time.sleep(0.2)
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


def free_port() -> int:
    """That of `boot --worker_pool` may be taken on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def pool(image: str, path: Path, port: int) -> Iterator[Any]:
    """A container that starts workers, as `boot --worker_pool`, on the network of this machine."""
    container = containers.confined(
        image,
        *("-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"),
        "--container_executable=/opt/apache/beam/boot",
        entrypoint=PYTHON,
        network="host",
        mounts={path: str(path)},
    )
    connect = f"import socket; socket.create_connection(('localhost', {port})).close()"
    with container.waiting_for(ExecWaitStrategy([PYTHON, "-c", connect])):
        yield container


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be ended after the test."""
    with ExitStack() as stack:
        yield stack


def test_a_killed_worker_loses_nothing(
    image: str,
    halves: list[Path],
    store: FaultServer,
    dataset: str,
    bigquery_server: BigqueryServer,
    stack: ExitStack,
):
    rows = [Ids(), Ids()]
    for table, ids in zip(store.tables.values(), rows, strict=True):
        table.rows = ids

    ports = {path: free_port() for path in halves}
    pools = {path: stack.enter_context(pool(image, path, ports[path])) for path in halves}

    def launch(path: Path) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline.main", f"--project={PROJECT}"),
                *("--runner=PrismRunner", f"--prism_location={beam_programs.prism()}"),
                *("--environment_type=EXTERNAL", f"--environment_config=localhost:{ports[path]}"),
                *(f"--input_files={path}", *tables(dataset)),
                f"--bigquery_storage_endpoint={store.address}",
            ],
            env=os.environ | bigquery_server.environment,
            stderr=stack.enter_context(path.with_suffix(".log").open("wb")),
        )
        stack.callback(process.kill)
        return process

    def writing() -> set[str]:
        return {name.rpartition(":")[0] for name in rows[0][::500]}

    def wait_for(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    both = iter(lambda: store.open_calls < 2, False)  # nothing is taken before both are there
    store.script = chain((Fault(code_pb2.UNAVAILABLE) for _ in both), repeat(None))
    running = {}
    for number, path in enumerate(halves):  # one by one, as Prism gives a worker 60 s to come
        running[path] = launch(path)
        wait_for(lambda number=number: store.open_calls > number)
    wait_for(lambda: len(writing()) == 2)
    failed, other = halves
    killed, said = pools[failed].exec([PYTHON, "-c", KILL])
    assert killed == 0, said
    before = sum(map(len, rows))
    assert 0 < before < CLAIMS

    assert running[failed].wait(SECONDS) == 1
    assert running[other].wait(SECONDS) == 0
    log = failed.with_suffix(".log")
    assert "SDK worker disconnected" in log.read_text()
    assert launch(failed).wait(SECONDS) == 0, log.read_text()

    written = Counter(rows[0] + rows[1])
    assert written.keys() == {name for path in halves for name in line_ids(str(path))}
    twice = {name for name, times in written.items() if times > 1}
    assert all(name.startswith(str(failed)) for name in twice)
    assert not set(rows[0]) & set(rows[1])
    print(
        f"\n{CLAIMS} lines, {before} rows when a worker was killed: 0 missing,"
        f" {written.total() - CLAIMS} duplicates"
    )

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
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, cycle, islice
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
from tests.whole.image.test_worker import tables

CLAIMS = int(os.environ.get("ENGINES_CLAIMS", "60000"))
SECONDS = 240 + CLAIMS // 500
"""The longest that one step may take, on a machine that has much else to do."""
LAUNCHES = 3
"""How often a job is launched whose worker was not there in the 60 s that Prism gives it."""
NO_WORKER = "didn't get control connection"
TELL_SECONDS = 10
KILL = """
import os, pathlib, signal
[harness] = [
    int(path.parts[2])
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
    if path.read_bytes().split(b"\\0")[2:3] == [b"apache_beam.runners.worker.sdk_worker_main"]
]
os.kill(harness, signal.SIGKILL)
"""

pytestmark = pytest.mark.timeout(6 * SECONDS, func_only=True)


class Ids(list[str]):
    """Keeps the message ids of rows alone: a million rows are too much to hold.

    With an eighth of all it answers no more until a worker is killed, so that both are on the way.
    """

    def __init__(self, killed: threading.Event) -> None:
        self._killed = killed

    def __iadd__(self, rows: Any) -> "Ids":
        self.extend(row["message_id"] for row in rows)
        if len(self) > CLAIMS // 8:
            self._killed.wait(SECONDS)
        return self


@pytest.fixture
def halves(claims: list[bytes], tmp_path: Path) -> Iterator[list[Path]]:
    """Two files of half the lines each; a tenth of the lines are no claims."""
    paths = [tmp_path / "a.ndjson", tmp_path / "b.ndjson"]
    for path in paths:
        with path.open("wb") as file:
            for number, line in enumerate(islice(cycle(claims), CLAIMS // 2)):
                file.write((b"not a claim" if number % 10 == 0 else line) + b"\n")
    yield paths
    for path in paths:
        path.unlink()  # hundreds of megabytes, where there are a million


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
    new_store: Callable[[], FaultServer],
    dataset: str,
    bigquery_server: BigqueryServer,
    stack: ExitStack,
):
    killed = threading.Event()
    stores = {path: new_store() for path in halves}
    rows = {path: [Ids(killed) for _ in stores[path].tables] for path in halves}
    for path, store in stores.items():
        for table, ids in zip(store.tables.values(), rows[path], strict=True):
            table.rows = ids
    ports = {path: free_port() for path in halves}
    pools = {path: stack.enter_context(pool(image, path, ports[path])) for path in halves}
    began = told = time.monotonic()

    def written() -> int:
        return sum(map(len, chain(*rows.values())))

    def tell(what: str) -> None:
        nonlocal told
        told = time.monotonic()
        print(f"{told - began:5.0f} s  {written():,} rows; {what}", flush=True)

    def wait_for(what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {SECONDS} s"
            if time.monotonic() > told + TELL_SECONDS:
                tell(f"waiting: {what}")
            time.sleep(0.1)
        tell(what)

    def launch(path: Path) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline.main", f"--project={PROJECT}"),
                *("--runner=PrismRunner", f"--prism_location={beam_programs.prism()}"),
                *("--environment_type=EXTERNAL", f"--environment_config=localhost:{ports[path]}"),
                *(f"--input_files={path}", *tables(dataset)),
                f"--bigquery_storage_endpoint={stores[path].address}",
            ],
            env=os.environ | bigquery_server.environment,
            stderr=stack.enter_context(path.with_suffix(".log").open("wb")),
            stdout=subprocess.DEVNULL,
        )
        stack.callback(process.kill)
        return process

    def connected(path: Path, what: str) -> "subprocess.Popen[bytes]":
        """A job whose worker appends."""
        calls = stores[path].counts["calls"]
        for _ in range(LAUNCHES):
            process = launch(path)
            wait_for(
                what,
                lambda: stores[path].counts["calls"] > calls or process.poll() is not None,  # noqa: B023
            )
            if process.poll() is None or NO_WORKER not in path.with_suffix(".log").read_text():
                break
            tell("its worker took more than 60 s; launched again")
        return process

    def wait_for_end(process: "subprocess.Popen[bytes]", path: Path, what: str, code: int) -> None:
        wait_for(what, lambda: process.poll() is not None)
        assert process.returncode == code, path.with_suffix(".log").read_text()

    failed, other = halves
    running = connected(failed, "worker 1 appends")
    running_other = connected(other, "worker 2 appends")
    wait_for(
        "an eighth is written by each",
        lambda: all(len(of_claims) > CLAIMS // 8 for of_claims, _ in rows.values()),
    )
    code, said = pools[failed].exec([PYTHON, "-c", KILL])
    assert code == 0, said
    before = written()
    assert running.poll() is None
    assert 0 < before < CLAIMS
    tell("worker 1 is killed")
    killed.set()

    wait_for_end(running, failed, "the job of worker 1 has failed", 1)
    assert "SDK worker disconnected" in failed.with_suffix(".log").read_text()
    again = connected(failed, "the job of worker 1 is launched again")
    wait_for_end(running_other, other, "the job of worker 2 is done", 0)
    wait_for_end(again, failed, "the second job of worker 1 is done", 0)

    times = {path: Counter(chain(*rows[path])) for path in halves}
    assert all(times[path].keys() == set(line_ids(str(path))) for path in halves)
    assert times[other].total() == len(times[other])
    assert all(not set(of_claims) & set(of_errors) for of_claims, of_errors in rows.values())
    print(
        f"{CLAIMS:,} lines, {before:,} rows when a worker was killed: 0 missing,"
        f" {written() - CLAIMS:,} duplicates, {time.monotonic() - began:.0f} s"
    )

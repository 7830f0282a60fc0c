"""The image as a worker, by Beam's own boot: backfills that fill the tables as outside of it.

The input proves where a step ran: at the same path, this machine has a file of one claim, and the
worker all of them.
"""

import os
import stat
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from google.cloud import bigquery
from testcontainers.core.wait_strategies import ExecWaitStrategy

from pipeline.clients import write_credentials
from sandbox.emulators.emulators import PROJECT, BigqueryServer
from tests.support import beam_programs, hostile_corpus
from tests.support.backfill import contents, stored
from tests.support.bigquery.fault_server import FaultServer
from tests.whole.image import containers, engine, servers
from tests.whole.image.containers import LAUNCHER, NOBODY, PYTHON

LABEL = "claims-pipeline.test-worker"
SECONDS = 90
POOL_PORT = 50000  # boot's own
CONNECT = f"import socket; socket.create_connection(('localhost', {POOL_PORT})).close()"


class Input(NamedTuple):
    """Files of the same path: that of this machine, and what a worker finds there."""

    path: Path
    of_worker: Path
    lines: int


@pytest.fixture(scope="module")
def backfill(claims: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Input:
    """The reference claims and the hostile corpus."""
    directory = tmp_path_factory.mktemp("backfill")
    here, of_worker = directory / "claims.ndjson", directory / "of_worker.ndjson"
    lines = claims + [entry.data for entry in hostile_corpus.entries()]
    here.write_bytes(claims[0] + b"\n")
    of_worker.write_bytes(b"\n".join(lines) + b"\n")
    return Input(here, of_worker, len(lines))


@pytest.fixture(scope="module")
def bare_image(image: str) -> str:
    """The image without our package."""
    return engine.derive(
        image, f"{image}-bare", "RUN python -m pip uninstall --yes --quiet claims-pipeline"
    )


@pytest.fixture
def worker_environment(
    backfill: Input, bigquery_server: BigqueryServer, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """An environment in which Beam's runner starts its workers confined.

    Beam takes no options for `docker run`, so a `docker` of ours goes first, and adds them.
    """
    real = engine.call("sh", "-c", "command -v docker").strip()
    options = [
        f"--label={LABEL}={tmp_path}",
        f"--user={NOBODY}",
        *("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        f"--volume={backfill.of_worker}:{backfill.path}:ro",
        f"--env=BIGQUERY_STORAGE_EMULATOR_HOST={bigquery_server.storage_address}",
        f"--env=BIGQUERY_EMULATOR_HOST={bigquery_server.url}",
    ]
    shim = tmp_path / "docker"
    shim.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        [ "$1" = run ] && shift && exec {real} run {" ".join(options)} "$@"
        exec {real} "$@"
        """)
    )
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    yield os.environ | bigquery_server.environment | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for container in started(tmp_path):
        engine.call("docker", "rm", "--force", container)


def started(directory: Path) -> list[str]:
    """Containers that the runner started by the `docker` in this directory."""
    selected = f"--filter=label={LABEL}={directory}"
    return engine.call("docker", "ps", "--all", "--quiet", selected).split()


def tables(dataset: str) -> list[str]:
    return [f"--output_table={dataset}.claims", f"--error_table={dataset}.errors"]


def launch(
    environment: dict[str, str], dataset: str, source: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """A backfill launched from this machine."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pipeline.main", f"--project={PROJECT}"),
            *(f"--input_files={source}", *tables(dataset), *arguments),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def embedded(image: str) -> list[str]:
    """Arguments with which the workers of FnApiRunner are containers of an image."""
    return [
        *("--runner=PortableRunner", "--job_endpoint=embed"),
        *("--environment_type=DOCKER", f"--environment_config={image}"),
    ]


def count(client: bigquery.Client, table: str) -> int:
    [row] = client.query_and_wait(f"SELECT COUNT(*) AS n FROM `{table}`")
    return row.n


@pytest.fixture(scope="module")
def expected(backfill: Input) -> tuple[Counter[str], Counter[str]]:
    """The two tables as FnApiRunner fills them in this process."""
    outside = stored(backfill.of_worker, "--runner=FnApiRunner")
    assert outside.claims.total() + outside.errors.total() == backfill.lines

    def of_worker(rows: Counter[str]) -> Counter[str]:  # where the file has another name
        source, there = str(backfill.of_worker), str(backfill.path)
        renamed = Counter({row.replace(source, there): rows[row] for row in rows})
        assert len(renamed) == len(rows)
        return renamed

    return of_worker(outside.claims), of_worker(outside.errors)


def found(store: FaultServer) -> tuple[Counter[str], Counter[str]]:
    claims, errors = (contents(table.rows) for table in store.tables.values())
    return claims, errors


def test_tables_are_the_same_as_outside(
    image: str,
    backfill: Input,
    expected: tuple[Counter[str], Counter[str]],
    worker_environment: dict[str, str],
    tmp_path: Path,
    dataset: str,
    store: FaultServer,
):
    endpoint = f"--bigquery_storage_endpoint={store.address}"
    inside = launch(worker_environment, dataset, backfill.path, endpoint, *embedded(image))
    assert inside.returncode == 0, inside.stderr
    assert found(store) == expected
    assert len(started(tmp_path)) == 1


def test_tables_are_the_same_on_prism(
    image: str,
    backfill: Input,
    expected: tuple[Counter[str], Counter[str]],
    bigquery_server: BigqueryServer,
    dataset: str,
    store: FaultServer,
):
    """Prism starts containers without a `docker`: the file and the user are in the image."""
    name = f"{image}-prism"
    copies = f"FROM {image}\nUSER {NOBODY}\nCOPY {backfill.of_worker.name} {backfill.path}"
    engine.docker_build(name, backfill.of_worker.parent, "--file", "-", stdin=copies)
    ended = launch(
        os.environ | bigquery_server.environment,
        dataset,
        backfill.path,
        *("--runner=PrismRunner", f"--prism_location={beam_programs.prism()}"),
        *("--environment_type=DOCKER", f"--environment_config={name}"),
        f"--bigquery_storage_endpoint={store.address}",
    )
    assert ended.returncode == 0, ended.stderr
    assert found(store) == expected


def test_an_image_without_our_package_fails(
    bare_image: str,
    backfill: Input,
    worker_environment: dict[str, str],
    dataset: str,
    bigquery_client: bigquery.Client,
):
    ended = launch(worker_environment, dataset, backfill.path, *embedded(bare_image))
    assert ended.returncode != 0
    assert "No module named 'pipeline" in ended.stderr
    assert count(bigquery_client, f"{dataset}.claims") == 0


def test_launcher_and_worker_in_containers(image: str, claims: list[bytes], tmp_path: Path):
    here, of_worker = tmp_path / "claims.ndjson", tmp_path / "of_worker.ndjson"
    here.write_bytes(claims[0])
    of_worker.write_bytes(b"\n".join(claims))
    credentials = write_credentials(tmp_path)
    place = "/credentials.json"
    at = {
        "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:9050",
        "BIGQUERY_STORAGE_EMULATOR_HOST": "127.0.0.1:9060",
        "GOOGLE_APPLICATION_CREDENTIALS": place,
    }
    with servers.bigquery_container() as server:
        network = f"container:{server.get_container_id()}"
        pool = containers.confined(
            image,
            "--worker_pool",
            network=network,
            environment=at,
            mounts={of_worker: str(here), credentials: place},
        )
        launcher = containers.confined(
            image,
            *("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"),
            *(f"--environment_config=localhost:{POOL_PORT}", f"--project={PROJECT}"),
            *(f"--input_files={here}", *tables(f"{PROJECT}.claims")),
            "--dataset_location=US",
            entrypoint=LAUNCHER,
            network=network,
            environment=at,
            mounts={here: str(here), credentials: place},
        )
        with pool.waiting_for(ExecWaitStrategy([PYTHON, "-c", CONNECT])):
            code, _, err = containers.ended(launcher, SECONDS)
            assert code == 0, err
        url, address = server.get_rest_url(), server.get_grpc_endpoint()
        with BigqueryServer(url, address, credentials).client() as client:
            assert count(client, f"{PROJECT}.claims.claims") == len(claims)
            assert count(client, f"{PROJECT}.claims.errors") == 0

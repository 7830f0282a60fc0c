"""The image as a worker: backfills whose steps run in it, and fill the tables as outside of it.

The input proves where a step ran: at the same path, this machine has a file of one claim, and the
worker all of them.
"""

import json
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.cloud import bigquery
from testcontainers.core.wait_strategies import ExecWaitStrategy

from pipeline.clients import write_credentials
from sandbox.emulators.emulators import PROJECT, BigqueryServer
from tests.whole.image import containers, engine, servers
from tests.whole.image.containers import LAUNCHER, NOBODY, PYTHON

LABEL = "claims-pipeline.test-worker"
SECONDS = 90
POOL_PORT = 50000  # boot's own
CONNECT = f"import socket; socket.create_connection(('localhost', {POOL_PORT})).close()"
VOLATILE = "processing_timestamp"


class Input(NamedTuple):
    """Files of the same path: that of this machine, and what a worker finds there."""

    path: Path
    of_worker: Path
    claims: int


@pytest.fixture(scope="module")
def backfill(claims: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Input:
    directory = tmp_path_factory.mktemp("backfill")
    here, of_worker = directory / "claims.ndjson", directory / "of_worker.ndjson"
    here.write_bytes(claims[0] + b"\n")
    of_worker.write_bytes(b"\n".join(claims) + b"\n")
    return Input(here, of_worker, len(claims))


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


def in_image(image: str) -> list[str]:
    """Arguments with which the workers are containers of an image."""
    return [
        *("--runner=PortableRunner", "--job_endpoint=embed"),
        *("--environment_type=DOCKER", f"--environment_config={image}"),
    ]


def rows(client: bigquery.Client, dataset: str) -> list[dict[str, Any]]:
    """The claims table but for the time of its rows, in an order of its own."""
    query = f"SELECT TO_JSON_STRING(t) AS row FROM `{dataset}.claims` t"
    found = [json.loads(row.row) for row in client.query_and_wait(query)]
    assert all(row.pop(VOLATILE) for row in found)
    return sorted(found, key=lambda row: row["claim_id"])


def count(client: bigquery.Client, table: str) -> int:
    [row] = client.query_and_wait(f"SELECT COUNT(*) AS n FROM `{table}`")
    return row.n


def test_tables_are_the_same_as_outside(
    image: str,
    backfill: Input,
    worker_environment: dict[str, str],
    tmp_path: Path,
    dataset: str,
    bigquery_client: bigquery.Client,
    bigquery_server: BigqueryServer,
):
    inside = launch(worker_environment, dataset, backfill.path, *in_image(image))
    assert inside.returncode == 0, inside.stderr
    found = rows(bigquery_client, dataset)
    assert len(found) == backfill.claims
    assert count(bigquery_client, f"{dataset}.errors") == 0
    assert len(started(tmp_path)) == 1

    outside = f"{dataset}_outside"
    environment = os.environ | bigquery_server.environment
    ended = launch(
        environment, outside, backfill.of_worker, "--runner=FnApiRunner", "--dataset_location=US"
    )
    assert ended.returncode == 0, ended.stderr
    expected = rows(bigquery_client, outside)
    for row in expected:  # the file has another name outside
        name, _, place = row["message_id"].rpartition(":")
        assert name == str(backfill.of_worker)
        row["message_id"] = f"{backfill.path}:{place}"
    assert found == expected


def test_an_image_without_our_package_fails(
    bare_image: str,
    backfill: Input,
    worker_environment: dict[str, str],
    dataset: str,
    bigquery_client: bigquery.Client,
):
    ended = launch(worker_environment, dataset, backfill.path, *in_image(bare_image))
    assert ended.returncode != 0
    assert "No module named 'pipeline" in ended.stderr
    assert count(bigquery_client, f"{dataset}.claims") == 0


def test_launcher_and_worker_in_containers(image: str, backfill: Input, tmp_path: Path):
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
            mounts={backfill.of_worker: str(backfill.path), credentials: place},
        )
        launcher = containers.confined(
            image,
            *("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"),
            *(f"--environment_config=localhost:{POOL_PORT}", f"--project={PROJECT}"),
            *(f"--input_files={backfill.path}", *tables(f"{PROJECT}.claims")),
            "--dataset_location=US",
            entrypoint=LAUNCHER,
            network=network,
            environment=at,
            mounts={backfill.path: str(backfill.path), credentials: place},
        )
        with pool.waiting_for(ExecWaitStrategy([PYTHON, "-c", CONNECT])):
            code, _, err = containers.ended(launcher, SECONDS)
            assert code == 0, err
        url, address = server.get_rest_url(), server.get_grpc_endpoint()
        with BigqueryServer(url, address, credentials).client() as client:
            assert len(rows(client, f"{PROJECT}.claims")) == backfill.claims
            assert count(client, f"{PROJECT}.claims.errors") == 0

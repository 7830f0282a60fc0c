"""The local servers start, serve, and end with whoever started them."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import google.auth
import grpc
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)
from google.protobuf import descriptor_pb2

from sandbox.emulators import pubsub_emulator
from sandbox.emulators.emulators import (
    BigqueryServer,
    create_topic_and_subscription,
    local_servers,
    pubsub_server,
)
from sandbox.emulators.local_server import LocalServer, ServerError, ServerMissing

needs_pubsub = pytest.mark.usefixtures("pubsub_server")  # skipped where it is not installed


def descendants(pid: int) -> set[int]:
    """Processes that `pid` started, and those that they started."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, check=True, text=True)
    parents = [tuple(map(int, line.split())) for line in table.stdout.splitlines()]
    found: set[int] = set()
    while grown := {child for child, parent in parents if parent in found | {pid}} - found:
        found |= grown
    return found


def running(pids: set[int]) -> set[int]:
    states = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return {
        pid for pid, state in states.items() if state.exists() and " Z " not in state.read_text()
    }


def listens(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def until(condition, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


@needs_pubsub
def test_both_servers_leave_no_process_and_no_port():
    before = descendants(os.getpid())
    with local_servers() as servers:
        addresses = [servers.pubsub.address, servers.bigquery.url, servers.bigquery.storage_address]
        assert all(map(listens, addresses))
        started = running(descendants(os.getpid()) - before)
        assert len(started) == 4  # two servers, each on its tether
        credentials = servers.bigquery.credentials
    assert not running(started)
    assert not any(map(listens, addresses))
    assert not credentials.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end it")
def test_a_server_ends_with_its_tether(tmp_path: Path):
    with LocalServer("sleeper", ["sleep", "60"], tmp_path / "log") as server:
        sleeper = server.pid()
        server._tether.kill()
        assert until(lambda: not running({sleeper}))


@needs_pubsub
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_with_its_starter(end: signal.Signals, tmp_path: Path):
    program = (
        "import sys, time\n"
        "from sandbox.emulators.emulators import pubsub_server\n"
        "with pubsub_server() as server:\n"
        "    print(server.address, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # a killed starter leaves its files
    ) as starter:
        address = starter.stdout.readline().strip()
        started = descendants(starter.pid)
        assert listens(address) and started
        starter.send_signal(end)
    assert until(lambda: not running(started))
    assert not listens(address)


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path):
    with LocalServer(
        "echo server", ["sh", "-c", "echo no luck; exit 3"], tmp_path / "log"
    ) as server:
        with pytest.raises(ServerError, match="echo server exited during startup(?s:.*)no luck"):
            server.wait_for("listening", seconds=10)


def test_a_server_that_hangs_at_its_start_is_given_up(tmp_path: Path):
    with LocalServer("slow server", ["sleep", "60"], tmp_path / "log") as server:
        with pytest.raises(ServerError, match="slow server did not start within 0.1 s"):
            server.wait_for("listening", seconds=0.1)


def test_without_java_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ServerMissing, match="apt-get install default-jre-headless") as raised:
        pubsub_emulator.launch()
    assert "\n" not in str(raised.value)


@needs_pubsub
def test_without_java_the_docker_image_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By a stand-in for `docker`: its engine answers, and it runs the jar as the image would."""
    java, jar = pubsub_emulator._java(), pubsub_emulator._jar()
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        "[ $1 = version ] && exit\n"
        f'echo "$@" > {tmp_path}/arguments\n'
        f"port=$(echo \"$@\" | /bin/sed 's/.*127.0.0.1:\\([0-9]*\\):8085.*/\\1/')\n"
        f"exec {java} -jar {jar} --host=127.0.0.1 --port=$port\n"
    )
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pubsub_server() as server:
        create_topic_and_subscription(server, "claims", "claims-sub")
    assert "google-cloud-cli:emulators" in (tmp_path / "arguments").read_text()


def test_a_name_that_exists_is_refused(pubsub_server, feed):
    name = feed.topic.rpartition("/")[2]
    with pytest.raises(ServerError, match="already exists"):
        create_topic_and_subscription(pubsub_server, name, name)


def test_clients_find_credentials_that_need_no_token(
    bigquery_server: BigqueryServer, monkeypatch: pytest.MonkeyPatch
):
    for name, value in bigquery_server.environment.items():
        monkeypatch.setenv(name, value)
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/bigquery"])
    assert credentials.valid and not credentials.expired
    with bigquery.Client() as client:
        assert list(client.query("SELECT 1 AS one").result())[0].one == 1


# Storage Write API: a table with a RECORD, and the protobuf message of its rows.

SCHEMA = [
    bigquery.SchemaField("id", "STRING"),
    bigquery.SchemaField(
        "violations",
        "RECORD",
        mode="REPEATED",
        fields=[bigquery.SchemaField("field", "STRING"), bigquery.SchemaField("rule", "STRING")],
    ),
]
STRING, MESSAGE = 9, 11
OPTIONAL, REPEATED = 1, 3
ROW = descriptor_pb2.DescriptorProto(
    name="Row",
    field=[
        {"name": "id", "number": 1, "type": STRING, "label": OPTIONAL},
        {
            "name": "violations",
            "number": 2,
            "type": MESSAGE,
            "label": REPEATED,
            "type_name": "Violation",
        },
    ],
    nested_type=[
        descriptor_pb2.DescriptorProto(
            name="Violation",
            field=[
                {"name": "field", "number": 1, "type": STRING, "label": OPTIONAL},
                {"name": "rule", "number": 2, "type": STRING, "label": OPTIONAL},
            ],
        )
    ],
)


def text(number: int, value: bytes) -> bytes:
    """A field of protobuf wire type 2, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def row(claim_id: str, *violations: tuple[str, str]) -> bytes:
    nested = (text(1, field.encode()) + text(2, rule.encode()) for field, rule in violations)
    return text(1, claim_id.encode()) + b"".join(text(2, violation) for violation in nested)


@contextmanager
def writer(server: BigqueryServer) -> Iterator[BigQueryWriteClient]:
    with grpc.insecure_channel(server.storage_address) as channel:
        yield BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))


def append(client: BigQueryWriteClient, table: str, batches: list[list[bytes]]) -> None:
    """Append each batch in a request of its own, and wait until all are in the table."""
    project, dataset, name = table.split(".")
    stream = f"projects/{project}/datasets/{dataset}/tables/{name}/streams/_default"
    requests = [
        types.AppendRowsRequest(
            write_stream="" if place else stream,  # the first of a call is enough
            proto_rows=types.AppendRowsRequest.ProtoData(
                writer_schema=types.ProtoSchema(proto_descriptor=ROW),
                rows=types.ProtoRows(serialized_rows=batch),
            ),
        )
        for place, batch in enumerate(batches)
    ]
    metadata = [("x-goog-request-params", f"write_stream={stream}")]
    for answer in client.append_rows(iter(requests), metadata=metadata, timeout=60):
        assert not answer.error.code


@pytest.fixture
def table(dataset: str, bigquery_client: bigquery.Client) -> str:
    name = f"{dataset}.rows"
    bigquery_client.create_table(bigquery.Table(name, SCHEMA))
    return name


def test_storage_write_keeps_nested_fields(bigquery_server, bigquery_client, table: str):
    with writer(bigquery_server) as client:
        append(client, table, [[row("a", ("amount", "maximum"), ("age", "type")), row("b")]])
    rows = bigquery_client.query(f"SELECT * FROM `{table}` ORDER BY id").result()
    assert [dict(found) for found in rows] == [
        {
            "id": "a",
            "violations": [
                {"field": "amount", "rule": "maximum"},
                {"field": "age", "rule": "type"},
            ],
        },
        {"id": "b", "violations": []},
    ]


def test_queries_answer_while_appends_run(bigquery_server, bigquery_client, table: str):
    batches = [[row(f"{batch}-{index}") for index in range(10)] for batch in range(150)]
    counts = []
    with writer(bigquery_server) as client:
        appending = threading.Thread(target=append, args=(client, table, batches))
        appending.start()
        while appending.is_alive():
            query = f"SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS ids FROM `{table}`"
            [found] = bigquery_client.query(query).result(timeout=30)
            assert found.n == found.ids
            counts.append(found.n)
        appending.join()
    assert counts == sorted(counts) and len(counts) > 3
    assert bigquery_client.get_table(table).num_rows == 1500


@pytest.mark.parametrize(
    "sql, failure",
    [
        ("SELECT nothing_such FROM `{}`", BadRequest),
        ("SELEC 1", BadRequest),
        ("SELECT 1 FROM `{}_of_nobody`", NotFound),
        ("CREATE TABLE `{}` (x INT64)", Conflict),
    ],
)
def test_a_query_that_fails_raises(sql: str, failure, bigquery_client, table: str):
    with pytest.raises(failure) as raised:
        bigquery_client.query_and_wait(sql.format(table))
    assert raised.value.errors[0]["message"]

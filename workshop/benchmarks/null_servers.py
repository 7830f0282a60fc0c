"""Servers that take every row at once, and count it: the Storage Write API, and insertAll.

`python -m workshop.benchmarks.null_servers` runs both in a process of their own, so that what they
burn is not counted. It prints their addresses as one line of JSON, and ends when its stdin closes.
"""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import grpc
from google.cloud.bigquery_storage_v1 import types

_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryWrite"
_Request = types.AppendRowsRequest.pb()
_Response = types.AppendRowsResponse.pb()
_TABLE = re.compile(rb"/tables/([^/]+)/")
_ROW = b'"insertId"'
"""Once in each row of insertAll; in a value it would have a backslash before each quote."""
_CALLS = 16
"""AppendRows calls at a time: one a table and worker process."""


@dataclass(frozen=True)
class NullServers:
    """Where the servers listen."""

    insert_url: str
    """insertAll, as `BIGQUERY_EMULATOR_HOST` takes it."""
    storage_address: str
    """The Storage Write API, as `BIGQUERY_STORAGE_EMULATOR_HOST` takes it."""

    def rows(self) -> Counter[str]:
        """Rows that have come, by table; both servers together."""
        with urlopen(f"{self.insert_url}/rows") as answer:
            return Counter(json.load(answer))


@contextmanager
def null_servers() -> Iterator[NullServers]:
    """The servers, in another process."""
    command = [sys.executable, "-m", "workshop.benchmarks.null_servers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            yield NullServers(**json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()


class _Count:
    """Rows by table."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self._turn = threading.Lock()

    def add(self, table: str, rows: int) -> None:
        with self._turn:
            self.rows[table] += rows


def _storage_server(count: _Count) -> tuple[grpc.Server, int]:
    def append_rows(requests: Iterator[Any], _context: Any) -> Iterator[Any]:
        table = ""
        for request in requests:
            if request.write_stream:  # of the first request of a call only
                table = request.write_stream.split("/")[5]
            count.add(table, len(request.proto_rows.rows.serialized_rows))
            response = _Response()
            response.append_result.SetInParent()
            yield response

    handler = grpc.stream_stream_rpc_method_handler(
        append_rows, _Request.FromString, _Response.SerializeToString
    )
    server = grpc.server(
        ThreadPoolExecutor(_CALLS), options=[("grpc.max_receive_message_length", -1)]
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"AppendRows": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


async def _insert_server(count: _Count) -> tuple[asyncio.Server, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                sizes = re.findall(rb"(?im)^content-length: *(\d+)", head)
                body = await reader.readexactly(int(sizes[0]) if sizes else 0)
                answer: dict[str, Any] = dict(count.rows)
                if table := _TABLE.search(head.partition(b"\r\n")[0]):
                    count.add(table[1].decode(), body.count(_ROW))
                    answer = {"kind": "bigquery#tableDataInsertAllResponse"}
                text = json.dumps(answer).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(text), text)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    return server, server.sockets[0].getsockname()[1]


async def _serve() -> None:
    count = _Count()
    storage, storage_port = _storage_server(count)
    insert, insert_port = await _insert_server(count)
    servers = NullServers(f"http://127.0.0.1:{insert_port}", f"127.0.0.1:{storage_port}")
    print(json.dumps(vars(servers)), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    insert.close()
    storage.stop(grace=None)


if __name__ == "__main__":
    asyncio.run(_serve())

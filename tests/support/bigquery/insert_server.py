"""A server of BigQuery's insertAll that refuses rows and requests as it is told.

bqemulator answers 500 to a bad value, where the real service answers an error per row.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

_INSERT_ALL = re.compile(r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)/insertAll")
LARGEST_REQUEST = 10_000_000
"""Bytes of a request that the real service takes."""


class RowError(NamedTuple):
    """Why the service refuses a row."""

    reason: str
    location: str
    message: str
    """The real service quotes the value here."""


def accept_all(_row: Mapping[str, Any]) -> RowError | None:
    return None


class InsertServer(ThreadingHTTPServer):
    """Keeps the rows that it accepts, by table."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.turn = threading.Lock()
        self.refuse: Callable[[Mapping[str, Any]], RowError | None] = accept_all
        self.failures: list[int] = []
        """HTTP status codes of the next answers; then requests are served."""
        self.reason: str | None = None
        """What those answers name as their reason, if anything."""
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[int] = []
        """Bytes of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: InsertServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.turn:
            status, answer = self._answer(self.path.partition("?")[0], body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        server, target = self.server, _INSERT_ALL.fullmatch(path)
        assert target, path
        server.requests.append(len(body))
        if server.failures:
            status = server.failures.pop(0)
            error = {"code": status, "message": body.decode()}
            named = {"errors": [{"reason": server.reason}]} if server.reason else {}
            return status, {"error": error | named}
        if len(body) > LARGEST_REQUEST:
            return 413, {"error": {"code": 413, "message": "Request payload size exceeds"}}
        kept, errors = server.rows.setdefault(".".join(target.groups()), []), []
        for index, entry in enumerate(json.loads(body)["rows"]):
            if error := server.refuse(entry["json"]):
                errors.append({"index": index, "errors": [error._asdict()]})
            else:
                kept.append(entry["json"])
        return 200, {"insertErrors": errors} if errors else {}

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def insert_server() -> Iterator[InsertServer]:
    """A server that listens on a free port."""
    with InsertServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

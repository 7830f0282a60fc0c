"""Stand-ins for Google's REST APIs, which record what they are asked.

Every request must be one that the API's discovery document knows, down to each field, and so must
every answer. A new service is a class like those in dataflow.py: it names its API and has, for
each method, a function that answers it.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.support.google.discovery import Api, Mismatch, api

_BASES = {"dns": "dns/v1/"}
"""What gcloud takes for the base of an API, where the document has it in each path."""


class ApiError(Exception):
    """What a service answers instead of a result."""

    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.answer = {"error": {"code": code, "status": status, "message": message}}


@dataclass(frozen=True)
class Call:
    """One request, understood."""

    method: str
    """As `dataflow.projects.locations.flexTemplates.launch`."""
    names: Mapping[str, str]
    """What stands in the path, as {"projectId": "my-project"}."""
    query: Mapping[str, str]
    body: Any


class Service(Protocol):
    """One stand-in."""

    api: str
    """Name of the discovery document, as `dataflow.v1b3`."""
    answers: Mapping[str, Callable[[Call], Any]]
    """By id of the method: the function that returns the answer, or raises ApiError."""


@dataclass
class GoogleApis:
    """The running stand-ins."""

    services: Mapping[str, Service]
    """By name of the API, as `dataflow`."""
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    """All requests that were understood, in their order."""
    mistakes: list[str] = field(default_factory=list)
    """What did not fit the discovery documents; a test with one has failed."""

    @property
    def environment(self) -> dict[str, str]:
        """What makes gcloud use them."""
        return {
            f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{name.upper()}": (
                f"{self.url}/{name}/{api(service.api).service_path or _BASES.get(name, '')}"
            )
            for name, service in self.services.items()
        }

    def bodies(self, method: str) -> list[Any]:
        """What a method was called with, call by call."""
        return [call.body for call in self.calls if call.method == method]

    def answer(self, verb: str, target: str, body: Any) -> tuple[int, Any]:
        """HTTP status and body of the answer to one request."""
        try:
            return 200, self._answer(verb, target, body)
        except ApiError as error:
            return error.code, error.answer
        except Exception as mistake:
            self.mistakes.append(f"{verb} {target}: {type(mistake).__name__}: {mistake}")
            return 501, ApiError(501, "UNIMPLEMENTED", self.mistakes[-1]).answer

    def _answer(self, verb: str, target: str, body: Any) -> Any:
        url = urlsplit(target)
        name, _, path = url.path.removeprefix("/").partition("/")
        if name not in self.services:
            raise Mismatch(f"no stand-in for {name}")
        service = self.services[name]
        described = api(service.api)
        method, names = described.find(verb, path)
        call = Call(method.id, names, dict(parse_qsl(url.query)), body)
        if unknown := {name.removeprefix("$") for name in call.query} - method.query:
            raise Mismatch(f"{method.id} has no parameter {', '.join(sorted(unknown))}")
        _check(described, method.request, body)
        self.calls.append(call)
        if method.id not in service.answers:
            raise Mismatch(f"the stand-in has no answer for {method.id}")
        answer = service.answers[method.id](call)
        _check(described, method.response, answer)
        return answer


def _check(described: Api, schema: str | None, value: Any) -> None:
    if schema:
        described.check(schema, value)
    elif value:
        raise Mismatch("there is no body to be")


@contextmanager
def google_apis(*services: Service) -> Iterator[GoogleApis]:
    """The stand-ins, listening on a port of their own."""
    apis = GoogleApis({service.api.partition(".")[0]: service for service in services})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(apis))
    apis.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield apis
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(apis: GoogleApis) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30  # ends the connections that a client keeps open

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _reply(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                sent = gzip.decompress(sent)
            code, answer = apis.answer(self.command, self.path, json.loads(sent) if sent else None)
            body = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _reply

    return Handler

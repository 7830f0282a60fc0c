"""gRPC channels to the Storage Write API: Google's, or that of an emulator."""

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import google.auth
import grpc
from google.api_core import grpc_helpers
from google.api_core.gapic_v1 import routing_header as gapic_routing_header

from pipeline.sinks.bigquery.append.limits import ANSWER_TIMEOUT_SECONDS

EMULATOR_VARIABLE: Final = "BIGQUERY_STORAGE_EMULATOR_HOST"
"""`host:port` of an emulator, plaintext gRPC."""
SERVICE: Final = "https://bigquerystorage.googleapis.com"
_WRITE_API = "/google.cloud.bigquery.storage.v1.BigQueryWrite"
APPEND_ROWS: Final = f"{_WRITE_API}/AppendRows"
GET_WRITE_STREAM: Final = f"{_WRITE_API}/GetWriteStream"
_SCOPES = (
    "https://www.googleapis.com/auth/bigquery.insertdata",
    "https://www.googleapis.com/auth/cloud-platform",
)
_PLAINTEXT = "http"
_MAX_METADATA_BYTES: Final = 1 << 26


def endpoint_in_use(endpoint: str | None) -> str:
    """The URL of the endpoint that is asked for, else of the environment's emulator, else Google's.

    `endpoint` is `host:port` or `https://host[:port]`. Only a loopback host without `https://`,
    and the emulator that the environment names, are spoken to in plaintext (`http://`).
    """
    if endpoint:
        if "://" in endpoint:
            return endpoint
        return f"{_PLAINTEXT if _is_loopback(endpoint) else 'https'}://{endpoint}"
    emulator = os.environ.get(EMULATOR_VARIABLE, "").rpartition("://")[2]
    return f"{_PLAINTEXT}://{emulator}" if emulator else SERVICE


def user_agent() -> str:
    """What the service's logs and quota pages call us."""
    try:
        return f"claims-pipeline/{version('claims-pipeline')}"
    except PackageNotFoundError:
        return "claims-pipeline"


def open_channel(
    endpoint: str, answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
) -> grpc.Channel:
    """A channel to an endpoint of `endpoint_in_use`: TLS and the worker's account, or plaintext.

    google.auth.exceptions.DefaultCredentialsError when the former finds no account.

    Args:
        endpoint: the URL.
        answer_timeout_seconds: in half of which a connection that is dead is found to be so.
    """
    keepalive_ms = int(answer_timeout_seconds * 1000 / 4)
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        # The error that ends a call may quote a row, and travels as metadata: beyond 8 kB gRPC
        # would put RESOURCE_EXHAUSTED in its place.
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.primary_user_agent", user_agent()),
        # A connection may stay open and swallow everything: only an unanswered ping tells.
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.http2.ping_timeout_ms", keepalive_ms),  # of any ping; 60 s by default
        # Our own backoff decides when to try again: the channel must not sleep longer.
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Despite its name, this limits how long connecting may take, handshakes included.
        ("grpc.min_reconnect_backoff_ms", keepalive_ms),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # Channels with equal options would share a connection, and its end.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    url = urlsplit(endpoint_in_use(endpoint))
    if url.scheme == _PLAINTEXT:
        options.append(("grpc.enable_http_proxy", 0))  # no proxy knows our loopback
        return grpc.insecure_channel(url.netloc, options)
    target = url.netloc if url.port else f"{url.hostname}:443"
    return grpc_helpers.create_channel(target, credentials=_credentials(), options=options)


@cache
def _credentials() -> Any:
    """The worker's account. It is looked for once: a lost connection opens again without it."""
    return google.auth.default(default_scopes=_SCOPES)[0]


def routing_header(field: str, stream: str) -> tuple[str, str]:
    """The header by which the service finds the region of a stream; `field` names it in the RPC."""
    header: tuple[str, str] = gapic_routing_header.to_grpc_metadata({field: stream})
    return header


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(f"//{endpoint}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""gRPC channels to the Storage Write API: Google's, or that of an emulator."""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import grpc
from google.api_core import grpc_helpers
from google.api_core.gapic_v1 import routing_header as gapic_routing_header

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


def endpoint_in_use(endpoint: str | None) -> str:
    """The endpoint that is asked for, else the emulator of the environment, else Google's."""
    return endpoint or os.environ.get(EMULATOR_VARIABLE) or SERVICE


def user_agent() -> str:
    """What the service's logs and quota pages call us."""
    try:
        return f"claims-pipeline/{version('claims-pipeline')}"
    except PackageNotFoundError:
        return "claims-pipeline"


def open_channel(endpoint: str) -> grpc.Channel:
    """A channel to `host:port` in plaintext, or to `https://host[:port]` as the worker's account.

    google.auth.exceptions.DefaultCredentialsError when the latter finds no account.
    """
    options = (
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.primary_user_agent", user_agent()),
        # Our own backoff decides when to try again: the channel must not sleep longer.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # Channels with equal options would share a connection, and its end.
        ("grpc.use_local_subchannel_pool", 1),
    )
    scheme, _, target = endpoint.rpartition("://")
    if scheme != "https":
        return grpc.insecure_channel(target, options)
    target = target if ":" in target else f"{target}:443"
    return grpc_helpers.create_channel(target, default_scopes=_SCOPES, options=options)


def routing_header(field: str, stream: str) -> tuple[str, str]:
    """The header by which the service finds the region of a stream; `field` names it in the RPC."""
    header: tuple[str, str] = gapic_routing_header.to_grpc_metadata({field: stream})
    return header

"""Servers on this machine are reached directly, whatever proxy the environment names."""

import os

_HOSTS = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")


def bypass_proxies() -> None:
    """Add this machine to what HTTP and gRPC clients, here and in child processes, do not proxy."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    names = [given] if given else []
    value = ",".join([*names, *(host for host in _HOSTS if host not in given.split(","))])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = value
    if os.environ.get("no_grpc_proxy"):  # gRPC then looks at nothing else
        os.environ["no_grpc_proxy"] = ",".join([os.environ["no_grpc_proxy"], *_HOSTS])

"""A Secret Manager: gRPC on this machine, with versions of secrets that the test puts in."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    SecretPayload,
)

_METHOD = "/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion"


class SecretManager(grpc.GenericRpcHandler):
    """Answers AccessSecretVersion, and nothing else."""

    def __init__(self) -> None:
        self.versions: dict[str, bytes] = {}
        """By resource name."""
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self.address = ""

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._access,
            AccessSecretVersionRequest.deserialize,
            AccessSecretVersionResponse.serialize,
        )

    def _access(self, request: AccessSecretVersionRequest, context: grpc.ServicerContext) -> Any:
        self.asked.append(request.name)
        if request.name in self.denied:
            denied = "Permission 'secretmanager.versions.access' denied."
            context.abort(grpc.StatusCode.PERMISSION_DENIED, denied)
        if request.name not in self.versions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Secret Version [{request.name}] not found.")
        payload = SecretPayload(data=self.versions[request.name])
        return AccessSecretVersionResponse(name=request.name, payload=payload)


@contextmanager
def secret_manager() -> Iterator[SecretManager]:
    """A running one; its address goes into SECRET_MANAGER_EMULATOR_HOST."""
    service = SecretManager()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[service])
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield service
    finally:
        server.stop(grace=None).wait()

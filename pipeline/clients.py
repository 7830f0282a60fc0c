"""Google's clients: for the emulators that the environment names, else for the real services.

`BIGQUERY_EMULATOR_HOST` (REST), `BIGQUERY_STORAGE_EMULATOR_HOST` and `SECRET_MANAGER_EMULATOR_HOST`
(`host:port`, plaintext gRPC) are honoured here; `PUBSUB_EMULATOR_HOST` by Google's own client.
"""

import atexit
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud import bigquery

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.storage import Client as StorageClient

EMULATOR_HOST = "BIGQUERY_EMULATOR_HOST"
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
LOGIN = "gcloud auth application-default login"
"""The command that gives Google's clients credentials."""
NOT_LOGGED_IN, EXPIRED = "not logged in", "the login has expired or was revoked"
_LOGIN_FAILURES = {
    "default credentials were not found": NOT_LOGGED_IN,
    "invalid_grant": EXPIRED,
    "Reauthentication is needed": EXPIRED,
}
"""By what Google's clients write into their errors."""

# A token that never expires, so that nothing is ever fetched or signed.
_MADE_UP = {
    "type": "authorized_user",
    "client_id": "local",
    "client_secret": "local",
    "refresh_token": "local",
    "token": "local",
    "expiry": "9999-12-31T00:00:00Z",
    "quota_project_id": "local-project",
}


def is_emulated() -> bool:
    return bool(os.environ.get(EMULATOR_HOST))


def bigquery_client(project: str, credentials: Credentials | None = None) -> bigquery.Client:
    """A BigQuery client for `project`: of the emulator, if there is one.

    `credentials` are by default those of the environment.
    """
    if not is_emulated():
        return bigquery.Client(project=project, credentials=credentials)
    host = os.environ[EMULATOR_HOST]
    return bigquery.Client(
        project=project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": host if "://" in host else f"http://{host}"},
    )


def reason_of(error: BaseException) -> str:
    """Why a client failed, in one line; for want of a login, with the command that helps."""
    text = str(error)
    for mark, reason in _LOGIN_FAILURES.items():
        if mark in text:
            return f"{reason}; run: {LOGIN}"
    return text.partition("\n")[0]


def secret_manager_client() -> "SecretManagerServiceClient":
    """A Secret Manager client: of the emulator, if there is one."""
    # Imported here: few jobs need it.
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    host = os.environ.get("SECRET_MANAGER_EMULATOR_HOST")
    if not host:
        return SecretManagerServiceClient()
    channel = grpc.insecure_channel(host)
    return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


@cache
def storage_client() -> "StorageClient":
    """A Cloud Storage client, one a process; Google's own code honours `STORAGE_EMULATOR_HOST`."""
    from google.cloud.storage import Client

    return Client()


def write_credentials(directory: Path) -> Path:
    """A credentials file for clients that insist on one; emulators do not check it."""
    path = directory / "credentials.json"
    path.write_text(json.dumps(_MADE_UP))
    return path


def ensure_credentials() -> None:
    """Give Beam's own clients credentials to find when they will only meet emulators.

    They ask `google.auth.default()`, which without an answer looks for a metadata server, for
    17 seconds.
    """
    if is_emulated() and _CREDENTIALS not in os.environ:
        directory = Path(tempfile.mkdtemp(prefix="claims-credentials-"))
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        os.environ[_CREDENTIALS] = str(write_credentials(directory))

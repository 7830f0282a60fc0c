"""What doctor examines, and how it reaches the services."""

import os
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from claims_ops.deployment import plan
from claims_ops.deployment.gcloud import Command, Gcloud, StepFailed, access_token
from claims_ops.deployment.job import Job
from claims_ops.deployment.names import Deployment
from claims_ops.doctor.finding import Once, Unknown
from pipeline.clients import EXPIRED, LOGIN, NOT_LOGGED_IN
from pipeline.launch.options import Launch

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

EMULATORS = {
    "pubsub": "PUBSUB_EMULATOR_HOST",
    "bigquery": "BIGQUERY_EMULATOR_HOST",
    "storage": "STORAGE_EMULATOR_HOST",
}
"""Services, and the variable that names an emulator of each."""
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# How gcloud learns of an emulator: variable and path.
_OVERRIDES = {
    "pubsub": ("CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB", "/"),
    "storage": ("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "/storage/v1/"),
}


def emulated() -> frozenset[str]:
    """The services that the environment names an emulator of."""
    return frozenset(name for name, variable in EMULATORS.items() if os.environ.get(variable))


@dataclass(frozen=True, slots=True)
class Setup:
    """One deployment under examination."""

    to: Deployment
    launch: Launch
    """Its launch parameters."""
    running: bool
    """Whether its job must run."""
    seconds: float
    """How long one call may take."""
    words: tuple[str, ...]
    """What was said of the deployment on the command line."""
    table_words: tuple[str, ...]
    """What of it concerns the tables."""
    local: frozenset[str] = field(default_factory=emulated)
    """Services that are emulated."""
    _credentials: Any = field(default_factory=lambda: Once(_found), init=False)

    @property
    def gcloud(self) -> Gcloud:
        """gcloud, which does not wait for what was made a moment ago."""
        return Gcloud(self.to.project, timeout_seconds=self.seconds, patience=())

    @property
    def job(self) -> Job:
        """The job of this name."""
        return Job(self.to, self.gcloud)

    def credentials(self, service: str) -> "Credentials":
        """Whoever we are for a service.

        Raises:
            Unknown: nobody.
        """
        from google.auth.credentials import AnonymousCredentials

        if service in self.local:
            return AnonymousCredentials()
        found: tuple[Credentials, str] = self._credentials()
        return found[0]

    def whose(self) -> str:
        """Where the credentials are from, once they have proved good.

        Raises:
            Unknown: there are none.
        """
        found: tuple[Credentials, str] = self._credentials()
        return found[1]

    def shown(self, service: str, command: Command) -> str:
        """A gcloud command as one would type it, for the emulator if one is in use."""
        if service not in self.local:
            return self.gcloud.shown(command)
        variable, path = _OVERRIDES[service]
        host = os.environ[EMULATORS[service]]
        url = f"{host if '://' in host else f'http://{host}'}{path}"
        # The emulator keeps messages no longer.
        long, short = map(plan.retention_flag, (plan.DEAD_LETTER_RETENTION, plan.RETENTION))
        shown = self.gcloud.shown(tuple(short if word == long else word for word in command))
        return f"CLOUDSDK_AUTH_DISABLE_CREDENTIALS=1 {variable}={shlex.quote(url)} {shown}"

    def tables(self, *more: str) -> str:
        """The command that makes these tables."""
        return shlex.join(["claims", "tables", *self.table_words, *more])

    def deploy(self, *more: str) -> str:
        """The command that deploys this."""
        return shlex.join(["claims", "deploy", *self.words, *more])


class NoCredentials(Unknown):
    """Nobody is logged in."""


def _found() -> "tuple[Credentials, str]":
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, RefreshError
    from google.auth.transport.requests import Request
    from google.oauth2.credentials import Credentials as Token

    try:
        with warnings.catch_warnings():  # of a quota that is not used here
            warnings.simplefilter("ignore")
            default, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError:
        try:
            return Token(access_token(timeout_seconds=10)), "gcloud"
        except StepFailed:
            raise NoCredentials(NOT_LOGGED_IN, LOGIN) from None
    request = Request()
    try:
        default.refresh(lambda *given, **named: request(*given, **{**named, "timeout": 5}))
    except RefreshError:
        raise NoCredentials(EXPIRED, LOGIN) from None
    return default, getattr(default, "service_account_email", None) or "application default"


def described(message: Any) -> Mapping[str, Any]:
    """A message of a client as gcloud describes it."""
    from google.protobuf.json_format import MessageToDict

    found: Mapping[str, Any] = MessageToDict(type(message).pb(message))
    return found

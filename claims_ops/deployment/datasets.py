"""BigQuery datasets, which gcloud has no commands for: through BigQuery's own client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from claims_ops.deployment.gcloud import StepFailed, access_token, patiently
from claims_ops.deployment.steps import EXISTS, GRANTED, Look

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Dataset

_TIMEOUT_SECONDS = 60
# BigQuery tells its own names of the roles that it had before IAM.
_OLD_NAMES = {"roles/bigquery.dataEditor": "WRITER"}


@dataclass(frozen=True, slots=True)
class DatasetStep:
    """A dataset."""

    project: str
    dataset: str
    location: str
    name: str = "datasets"

    @property
    def title(self) -> str:
        return f"dataset {self.project}:{self.dataset}"

    def plan(self) -> list[str]:
        # We call the API; the tool bq would do the same.
        place = f"--dataset {self.project}:{self.dataset}"
        return [f"? bq show {place}", f"+ bq mk --location={self.location} {place}"]

    def take(self) -> str:
        from google.api_core.exceptions import NotFound
        from google.cloud.bigquery import Dataset, DatasetReference

        reference = DatasetReference(self.project, self.dataset)
        with _bigquery(self.project) as client:
            try:
                found = client.get_dataset(reference, timeout=_TIMEOUT_SECONDS)
            except NotFound:
                wanted = Dataset(reference)
                wanted.location = self.location
                client.create_dataset(wanted, timeout=_TIMEOUT_SECONDS)
                return "created"
        location = (found.location or self.location).lower()
        return EXISTS if location == self.location.lower() else f"{EXISTS}, but in {location}"


@dataclass(frozen=True, slots=True)
class DatasetGrant:
    """A role on a dataset."""

    project: str
    dataset: str
    member: str
    role: str
    why: str
    name: str = "roles"

    @property
    def title(self) -> str:
        return f"{self.role} on dataset {self.dataset} (to {self.why})"

    @property
    def asks(self) -> str:
        """The command that lists who has which roles."""
        return f"bq show --format=prettyjson {self.project}:{self.dataset}"

    def plan(self) -> list[str]:
        grant = f"GRANT `{self.role}` ON SCHEMA `{self.project}.{self.dataset}`"
        query = f"bq query --project_id={self.project} --nouse_legacy_sql"
        return [f"+ {query} '{grant} TO \"serviceAccount:{self.member}\"'"]

    def take(self) -> str:
        return patiently(self._grant)

    def look(self) -> Look:
        """Check only."""
        from google.cloud.bigquery import DatasetReference

        with _bigquery(self.project) as client:
            reference = DatasetReference(self.project, self.dataset)
            if self.granted(client.get_dataset(reference, timeout=_TIMEOUT_SECONDS)):
                return Look("granted")
        return Look(f"{self.member} lacks this role", self.plan()[0].removeprefix("+ "))

    def _grant(self) -> str:
        from google.cloud.bigquery import AccessEntry, DatasetReference

        with _bigquery(self.project) as client:
            reference = DatasetReference(self.project, self.dataset)
            found = client.get_dataset(reference, timeout=_TIMEOUT_SECONDS)
            if self.granted(found):
                return GRANTED
            entry = AccessEntry(self.role, "userByEmail", self.member)
            found.access_entries = [*found.access_entries, entry]
            # Sent with the etag: what someone else grants meanwhile is not lost.
            client.update_dataset(found, ["access_entries"], timeout=_TIMEOUT_SECONDS)
        return "granted"

    def granted(self, dataset: "Dataset") -> bool:
        """Whether the account has the role, by what a dataset tells."""
        roles = (self.role, _OLD_NAMES.get(self.role))
        return any(
            entry.entity_id == self.member and entry.role in roles
            for entry in dataset.access_entries
        )


@contextmanager
def _bigquery(project: str) -> Iterator["Client"]:
    """A client as whoever is logged in to gcloud, or of the emulator that the environment names.

    Raises:
        StepFailed: BigQuery refuses, within the block too.
    """
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.bigquery import Client
    from google.oauth2.credentials import Credentials
    from requests import RequestException

    from pipeline import clients

    try:
        if clients.is_emulated():
            client = clients.bigquery_client(project)
        else:
            client = Client(project=project, credentials=Credentials(access_token()))
        with client:
            yield client
    except GoogleAPICallError as error:
        raise StepFailed(f"BigQuery returned {error.code}: {error.message}") from None
    except (GoogleAuthError, RetryError, RequestException) as error:
        raise StepFailed(f"BigQuery cannot be reached: {error}") from None

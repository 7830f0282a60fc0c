"""What is deployed: all names, derived from a few."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.claims.tables import TableName


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """How the job runs; None leaves a thing to the pipeline, or to Dataflow."""

    max_workers: int | None = None
    num_workers: int | None = None
    machine_type: str | None = None
    network: str | None = None
    subnetwork: str | None = None
    no_public_ips: bool = False
    kms_key: str | None = None
    at_least_once: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One job, and what it needs in its project."""

    project: str
    region: str
    name: str
    """Of the job, and the base of all other names."""
    bucket: str
    repository: str
    """Of the images, in Artifact Registry."""
    template: str
    """`gs://` address of the Flex Template's spec."""
    location: str
    """Of new datasets."""
    parameters: Mapping[str, str]
    """Launch parameters, complete."""
    own_source: bool
    """Whether topic and subscription are ours to create."""
    dead_letters: bool = True
    """Whether our own subscription has a dead-letter topic."""
    image: str | None = None
    """Of a job that is launched without a template; None launches the template."""
    pipeline_options: tuple[str, ...] = ()
    """Further options of Beam, of a job without a template."""
    workers: Workers = field(default_factory=Workers)
    account: str | None = None
    """Service account of the workers, where it is not the one that we make."""

    @property
    def streaming(self) -> bool:
        """Whether the job reads from Pub/Sub."""
        return "input_files" not in self.parameters

    @property
    def worker_account(self) -> str:
        """The service account of the workers, and of the launcher."""
        return self.account or f"{self.name}-workers@{self._project_domain}.iam.gserviceaccount.com"

    @property
    def topic(self) -> str:
        """Where producers publish."""
        return self._pubsub("topics", self.name)

    @property
    def dead_letter_topic(self) -> str:
        """Where Pub/Sub puts messages that no worker could take."""
        return self._pubsub("topics", f"{self.name}-dead-letter")

    @property
    def dead_letter_subscription(self) -> str:
        """Keeps these messages; a topic alone keeps none."""
        return self._pubsub("subscriptions", f"{self.name}-dead-letter")

    @property
    def subscription(self) -> str | None:
        """What the job reads; None reads files or a topic."""
        return self.parameters.get("input_subscription")

    @property
    def datasets(self) -> tuple[tuple[str, str], ...]:
        """Project and name of each dataset that holds a table of ours."""
        tables = (
            TableName.parse(self.parameters[each]) for each in ("output_table", "error_table")
        )
        return tuple(dict.fromkeys((table.project, table.dataset) for table in tables))

    @property
    def foreign_buckets(self) -> tuple[str, ...]:
        """Buckets that the parameters read from, other than our own."""
        read = (value for value in self.parameters.values() if value.startswith("gs://"))
        buckets = (value.removeprefix("gs://").partition("/")[0] for value in read)
        return tuple(dict.fromkeys(bucket for bucket in buckets if bucket != self.bucket))

    @property
    def secret(self) -> str | None:
        """The secret that holds the key of pseudonyms; None without one in Secret Manager."""
        name, _, _ = self.parameters.get("pseudonym_key", "").rpartition("/versions/")
        return name if name.startswith("projects/") else None

    @property
    def creates_views(self) -> bool:
        """Whether the launch creates views, which it does with queries."""
        return self.parameters.get("create_views", "").lower() == "true"

    @property
    def console(self) -> str:
        """Where to look at the jobs."""
        return f"https://console.cloud.google.com/dataflow/jobs?project={self.project}"

    @property
    def _project_domain(self) -> str:
        """`example.com:my-project` is `my-project.example.com` in an email address."""
        domain, _, name = self.project.rpartition(":")
        return f"{name}.{domain}" if domain else name

    def _pubsub(self, kind: str, name: str) -> str:
        return f"projects/{self.project}/{kind}/{name}"

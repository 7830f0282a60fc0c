"""The steps of a deployment, in order: what each creates, which roles it grants, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock

from claims_ops.deployment.datasets import DatasetGrant, DatasetStep
from claims_ops.deployment.gcloud import Command, Gcloud, StepFailed
from claims_ops.deployment.launch import Launch
from claims_ops.deployment.names import Deployment
from claims_ops.deployment.steps import EXISTS, Apis, Grant, Policies, Resource, Step, Target

STEPS = (
    *("apis", "bucket", "template", "topic", "subscription", "datasets"),
    *("account", "roles", "launch"),
)
"""Names of the steps, for `--from`."""
SERVICES = tuple(
    f"{name}.googleapis.com"
    for name in (
        *("artifactregistry", "bigquery", "bigquerystorage", "cloudresourcemanager", "compute"),
        *("dataflow", "iam", "logging", "monitoring", "pubsub", "storage"),
    )
)
SECRETS = "secretmanager.googleapis.com"
"""Only where a parameter names a secret."""
RETENTION = "7d"
"""How long an unread message waits for a job."""
DEAD_LETTER_RETENTION = "31d"
"""The longest that Pub/Sub offers: people look at these."""
PROJECT_ROLES = {
    "roles/dataflow.worker": "run as a worker and write logs and metrics",
    "roles/dataflow.viewer": "find the running job by name for an update",
}
"""Roles of the worker account on the project, and why."""
VIEWS_ROLES = {"roles/bigquery.jobUser": "run the queries that create the views"}
"""Further ones, only with `create_views`."""
DELIVERY_ATTEMPTS = 100
"""The most that Pub/Sub offers: a message is redelivered whenever a worker ends with it in hand."""

_PUBSUB_AGENT = "service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"


def apis(to: Deployment, gcloud: Gcloud) -> Apis:
    """Those that the deployment calls."""
    return Apis((*SERVICES, *((SECRETS,) if to.secret else ())), gcloud)


def steps(to: Deployment, update: bool, names: Mapping[str, str]) -> list[Step]:
    """All steps; `names` are those that an update passes to Dataflow."""
    gcloud = Gcloud(to.project)
    return [
        apis(to, gcloud),
        bucket(to, gcloud),
        *([Template(to.template, gcloud)] if to.image is None else ()),
        *(pubsub(to, gcloud) if to.own_source else ()),
        *(DatasetStep(project, dataset, to.location) for project, dataset in to.datasets),
        account(to, gcloud),
        *grants(to, gcloud),
        Launch(to, gcloud, update, names),
    ]


def bucket(to: Deployment, gcloud: Gcloud) -> Resource:
    """The bucket of the job."""
    storage: Command = ("storage", "buckets")
    address = f"gs://{to.bucket}"
    # Without soft delete: temporary files would be kept, and paid for, a week longer.
    private = ("--uniform-bucket-level-access", "--public-access-prevention")
    more = (*private, "--soft-delete-duration=0")
    return Resource(
        "bucket",
        f"bucket {address}",
        (*storage, "describe", address),
        (*storage, "create", address, f"--location={to.region}", *more),
        gcloud,
        {"location": to.region.upper()},
    )


@dataclass(frozen=True, slots=True)
class Template:
    """The template, which build_template.sh makes, not we."""

    address: str
    gcloud: Gcloud
    name: str = "template"

    @property
    def title(self) -> str:
        return f"template {self.address}"

    def plan(self) -> list[str]:
        return [f"? {self.gcloud.shown(self._describe)}"]

    def take(self) -> str:
        if self.gcloud.read(self._describe) is None:
            raise StepFailed(f"{self.address} does not exist; create it with ./build_template.sh")
        return EXISTS

    @property
    def _describe(self) -> Command:
        return ("storage", "objects", "describe", self.address)


def pubsub(to: Deployment, gcloud: Gcloud) -> Iterator[Resource]:
    """Topics and subscriptions, where they are ours; that of the claims is the last."""
    topics: Command = ("pubsub", "topics")
    subscriptions: Command = ("pubsub", "subscriptions")
    for topic in (to.topic, *([to.dead_letter_topic] if to.dead_letters else ())):
        yield Resource(
            "topic",
            f"topic {_last(topic)}",
            (*topics, "describe", topic),
            (*topics, "create", topic),
            gcloud,
        )
    dead_letters: Command = ()
    policy = {}
    if to.dead_letters:
        yield keeper(to.dead_letter_topic, to.dead_letter_subscription, gcloud)
        attempts = f"--max-delivery-attempts={DELIVERY_ATTEMPTS}"
        dead_letters = (f"--dead-letter-topic={to.dead_letter_topic}", attempts)
        policy = {"deadLetterPolicy.deadLetterTopic": to.dead_letter_topic}
    if to.subscription is not None:
        yield Resource(
            "subscription",
            f"subscription {_last(to.subscription)}",
            (*subscriptions, "describe", to.subscription),
            (
                *(*subscriptions, "create", to.subscription, f"--topic={to.topic}"),
                *("--ack-deadline=60", retention_flag(RETENTION)),
                *("--expiration-period=never", *dead_letters),
            ),
            gcloud,
            {"topic": to.topic, **policy},
        )


def retention_flag(duration: str) -> str:
    """How long a subscription keeps messages, as gcloud takes it."""
    return f"--message-retention-duration={duration}"


def keeper(topic: str, name: str, gcloud: Gcloud) -> Resource:
    """A subscription that keeps dead letters."""
    subscriptions: Command = ("pubsub", "subscriptions")
    kept = (retention_flag(DEAD_LETTER_RETENTION), "--expiration-period=never")
    return Resource(
        "subscription",
        f"subscription {_last(name)}, which retains dead-lettered messages",
        (*subscriptions, "describe", name),
        (*subscriptions, "create", name, f"--topic={topic}", *kept),
        gcloud,
        {"topic": topic},
    )


def account(to: Deployment, gcloud: Gcloud) -> Resource:
    """The service account of the workers."""
    accounts: Command = ("iam", "service-accounts")
    return Resource(
        "account",
        f"service account {to.worker_account}",
        (*accounts, "describe", to.worker_account),
        (
            *(*accounts, "create", to.worker_account.partition("@")[0]),
            f"--display-name=Workers of the Dataflow job {to.name}",
        ),
        gcloud,
    )


def project_roles(to: Deployment) -> dict[str, str]:
    """Roles of the worker account on the project, and why."""
    return PROJECT_ROLES | (VIEWS_ROLES if to.creates_views else {})


def grants(to: Deployment, gcloud: Gcloud) -> Iterator[Grant | DatasetGrant]:
    """Who may do what."""
    policies = Policies(gcloud)
    worker = to.worker_account

    def grant(target: Target, role: str, why: str) -> Grant:
        return Grant(target, lambda: worker, worker, role, why, policies)

    project = Target("the project", ("projects",), (to.project,))
    for role, why in project_roles(to).items():
        yield grant(project, role, why)
    yield grant(
        _bucket_target(to.bucket),
        "roles/storage.objectAdmin",
        "stage the job and write temporary files",
    )
    for bucket in to.foreign_buckets:
        yield grant(
            _bucket_target(bucket), "roles/storage.objectViewer", "read files named by parameters"
        )
    place: Command = (to.repository, f"--location={to.region}")
    images = Target(f"repository {to.repository}", ("artifacts", "repositories"), place)
    yield grant(images, "roles/artifactregistry.reader", "pull the image")
    for owner, dataset in to.datasets:
        why = "create and extend the tables and append rows"
        yield DatasetGrant(owner, dataset, worker, "roles/bigquery.dataEditor", why)
    if to.secret is not None:
        secret = Target(f"secret {_last(to.secret)}", ("secrets",), (to.secret,))
        yield grant(secret, "roles/secretmanager.secretAccessor", "read the pseudonym key")
    if to.subscription is None:
        return
    commands: Command = ("pubsub", "subscriptions")
    claims = Target(f"subscription {_last(to.subscription)}", commands, (to.subscription,))
    yield grant(claims, "roles/pubsub.subscriber", "read claims")
    yield grant(claims, "roles/pubsub.viewer", "let Dataflow read its settings")
    if to.own_source and to.dead_letters:
        dead = Target("the dead-letter topic", ("pubsub", "topics"), (to.dead_letter_topic,))
        agent = _Agent(gcloud, to.project)
        who = _PUBSUB_AGENT.format(number="PROJECT_NUMBER")
        for target, role in ((dead, "roles/pubsub.publisher"), (claims, "roles/pubsub.subscriber")):
            why = "let Pub/Sub move dead letters"
            yield Grant(target, agent.member, who, role, why, policies)


class _Agent:
    """Pub/Sub's own service account in a project, which is named by the project's number."""

    def __init__(self, gcloud: Gcloud, project: str) -> None:
        self._gcloud, self._describe = gcloud, ("projects", "describe", project)
        self._number = ""
        self._asking = Lock()

    def member(self) -> str:
        with self._asking:
            self._number = self._number or str(self._gcloud.read(self._describe)["projectNumber"])
        return _PUBSUB_AGENT.format(number=self._number)


def _bucket_target(bucket: str) -> Target:
    return Target(f"bucket gs://{bucket}", ("storage", "buckets"), (f"gs://{bucket}",))


def _last(name: str) -> str:
    return name.rpartition("/")[2]

"""Checks of Pub/Sub: the source of the job, and its dead letters."""

from collections.abc import Iterator, Mapping
from typing import Any

from claims_ops.deployment import plan
from claims_ops.deployment.gcloud import Command
from claims_ops.doctor.finding import Check, Once, Unknown, Verdict, failed, of_look, passed
from claims_ops.doctor.setup import Setup, described
from claims_ops.shared.counted import in_days

DELETED = "_deleted-topic_"
_SUBSCRIPTIONS: Command = ("pubsub", "subscriptions")
_DAY_SECONDS = 24 * 60 * 60
_RETENTION_DAYS = int(plan.RETENTION.removesuffix("d"))


def checks(setup: Setup) -> Iterator[Check]:
    """Those of the source that the job has."""
    if setup.to.subscription:
        yield from _Subscription(setup, setup.to.subscription).checks()
    elif setup.launch.input_topic:
        yield _topic(setup, setup.launch.input_topic)


class _Subscription:
    def __init__(self, setup: Setup, name: str) -> None:
        self._setup = setup
        self._name = name
        self._found = Once(lambda: _get(setup, name))
        self._describe = setup.shown("pubsub", (*_SUBSCRIPTIONS, "describe", name))
        self._ours = list(plan.pubsub(setup.to, setup.gcloud)) if setup.to.own_source else []

    def checks(self) -> Iterator[Check]:
        for name, ask in (
            ("subscription", self._exists),
            ("dead-letter", self._dead_letter),
            ("retention", self._retention),
        ):
            yield Check(name, self._name, ask, self._describe)

    def _exists(self) -> Verdict:
        found = self._found()
        if found is None:
            return failed("does not exist", self._create())
        if _is_cut_off(found):
            anew = f"{self._update('delete')} && {self._create()}"
            lost = "read its remaining messages first, because recreating it discards them"
            return failed(
                f"receives no messages, because its topic was deleted or it was detached; {lost}",
                anew,
            )
        if found.get("pushConfig", {}).get("pushEndpoint"):
            pull = self._update("modify-push-config", "--push-endpoint=")
            return failed("is a push subscription, so no job can pull from it", pull)
        if self._ours:
            return of_look(self._ours[-1].compare(found))
        return passed(f"exists, on {found['topic']}")

    def _dead_letter(self) -> Verdict:
        found = self._there()
        topic = found.get("deadLetterPolicy", {}).get("deadLetterTopic")
        topic = None if topic == DELETED else topic
        if not topic and not self._setup.to.dead_letters:
            return passed("has no dead-letter policy, because of --no-dead-letter")
        wanted = topic or self._setup.to.dead_letter_topic
        problems, fixes = [], []
        exists, kept = _kept(self._setup, wanted)
        if not topic:
            problems.append(
                "has no dead-letter policy, so a message that crashes its worker is redelivered"
                " forever"
            )
        elif not exists:
            problems.append(f"its dead-letter topic {topic} does not exist")
        elif not kept:
            problems.append("its dead-letter topic has no subscription, so dead letters are lost")
        if not exists:
            fixes.append(self._setup.shown("pubsub", ("pubsub", "topics", "create", wanted)))
        if not kept:
            fixes.append(self._setup.shown("pubsub", self._keeper(wanted)))
        if not topic:
            attempts = f"--max-delivery-attempts={plan.DELIVERY_ATTEMPTS}"
            fixes.append(self._update("update", f"--dead-letter-topic={wanted}", attempts))
        if fixes:
            return failed("; ".join(problems), " && ".join(fixes))
        attempts = found["deadLetterPolicy"].get("maxDeliveryAttempts", 5)
        return passed(f"moves messages to {topic} after {attempts} delivery attempts")

    def _retention(self) -> Verdict:
        found = self._there()
        days = float(found["messageRetentionDuration"].removesuffix("s")) / _DAY_SECONDS
        expires = found.get("expirationPolicy", {}).get("ttl")
        problems, flags = [], []
        if days < _RETENTION_DAYS:
            problems.append(f"keeps unread messages for only {in_days(days)}")
            flags.append(plan.retention_flag(plan.RETENTION))
        if expires:
            idle = float(expires.removesuffix("s")) / _DAY_SECONDS
            problems.append(f"expires after {in_days(idle)} of inactivity")
            flags.append("--expiration-period=never")
        if problems:
            return failed("; ".join(problems), self._update("update", *flags))
        return passed(f"keeps unread messages for {in_days(days)}")

    def _there(self) -> Mapping[str, Any]:
        found = self._found()
        if found is None or _is_cut_off(found):
            state = "does not exist" if found is None else "has no topic or is detached"
            raise Unknown(f"cannot be checked, because the subscription {state}")
        return found

    def _create(self) -> str:
        """The command that creates it, after what it depends on."""
        if not self._ours:
            create = (*_SUBSCRIPTIONS, "create", self._name, "--topic=TOPIC")
            return self._setup.shown("pubsub", create)
        to = self._setup.to
        topic, *dead_letters, subscription = (each.create for each in self._ours)
        commands = [] if _has_topic(self._setup, to.topic) else [topic]
        if dead_letters:
            exists, kept = _kept(self._setup, to.dead_letter_topic)
            commands += [] if exists else dead_letters[:1]
            commands += [] if kept else [self._keeper(to.dead_letter_topic)]
        return " && ".join(self._setup.shown("pubsub", each) for each in (*commands, subscription))

    def _keeper(self, topic: str) -> Command:
        """Creates a subscription that keeps dead letters."""
        name = "/subscriptions/".join(topic.rsplit("/topics/", 1))  # a project may be named so
        if _get(self._setup, name):  # left of a topic that was deleted
            name += "-again"
        return plan.keeper(topic, name, self._setup.gcloud).create

    def _update(self, verb: str, *flags: str) -> str:
        return self._setup.shown("pubsub", (*_SUBSCRIPTIONS, verb, self._name, *flags))


def _is_cut_off(found: Mapping[str, Any]) -> bool:
    return found.get("topic") == DELETED or bool(found.get("detached"))


def _topic(setup: Setup, name: str) -> Check:
    def exists() -> Verdict:
        if _has_topic(setup, name):
            return passed("exists")
        return failed("does not exist", setup.shown("pubsub", ("pubsub", "topics", "create", name)))

    describe = ("pubsub", "topics", "describe", name)
    return Check("subscription", name, exists, setup.shown("pubsub", describe))


def _get(setup: Setup, name: str) -> Mapping[str, Any] | None:
    from google.api_core.exceptions import NotFound
    from google.pubsub_v1 import SubscriberClient

    client = SubscriberClient(credentials=setup.credentials("pubsub"))
    try:
        found = client.get_subscription(subscription=name, timeout=setup.seconds, retry=None)
    except NotFound:
        return None
    return described(found)


def _has_topic(setup: Setup, name: str) -> bool:
    from google.api_core.exceptions import NotFound

    try:
        _publisher(setup).get_topic(topic=name, timeout=setup.seconds, retry=None)
    except NotFound:
        return False
    return True


def _kept(setup: Setup, topic: str) -> tuple[bool, bool]:
    """Whether a topic exists, and whether it has a subscription."""
    if not _has_topic(setup, topic):
        return False, False
    listed = _publisher(setup).list_topic_subscriptions
    return True, any(listed(topic=topic, timeout=setup.seconds, retry=None))


def _publisher(setup: Setup) -> Any:
    from google.pubsub_v1 import PublisherClient

    return PublisherClient(credentials=setup.credentials("pubsub"))

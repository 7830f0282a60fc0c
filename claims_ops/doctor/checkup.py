"""Which checks a set-up gets."""

from collections.abc import Iterator, Sequence

from claims_ops.doctor import backlog, files, network, project, pubsub, storage, tables
from claims_ops.doctor.finding import Check, Once
from claims_ops.doctor.setup import Setup

SERVICES = {
    "credentials": "project",
    "apis": "project",
    "bucket": "storage",
    "template": "project",
    "image": "project",
    "subscription": "pubsub",
    "dead-letter": "pubsub",
    "retention": "pubsub",
    "backlog": "project",
    "files": "storage",
    "documents": "bigquery",
    "table": "bigquery",
    "account": "project",
    "roles": "project",
    "region": "project",
    "network": "project",
    "registry": "project",
    "quota": "project",
    "job": "project",
}
"""The checks, each with the service whose emulator has an answer to it; none has for a project."""


def chosen(setup: Setup, names: Sequence[str]) -> list[str]:
    """The checks that `--check` names, or all that make sense here."""
    if names:
        return [name for name in SERVICES if name in names]
    if setup.local:
        return [name for name, service in SERVICES.items() if service in setup.local]
    return list(SERVICES)


def checks(setup: Setup, names: Sequence[str]) -> list[Check]:
    """The checks of these names, in their order."""
    found = [check for check in _all(setup) if check.name in names]
    return sorted(found, key=lambda check: list(SERVICES).index(check.name))


def _all(setup: Setup) -> Iterator[Check]:
    active = Once(lambda: setup.job.active())
    # No job runs and none has to: this is a check before a launch.
    launches = Once(lambda: not (setup.running or setup.local) and active() is None)
    yield project.credentials(setup)
    yield from storage.checks(setup)
    yield from pubsub.checks(setup)
    if setup.to.subscription:
        yield backlog.check(setup, setup.to.subscription, active)
    if setup.launch.input_files:
        yield files.check(setup, setup.launch.input_files)
    yield from tables.checks(setup, launches)
    yield from project.checks(setup)
    yield from network.checks(setup)
    yield project.job(setup, active)

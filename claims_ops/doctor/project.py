"""Checks of the project, mostly through gcloud: credentials, services, roles, the job."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from claims_ops.deployment import plan
from claims_ops.deployment.datasets import DatasetGrant
from claims_ops.deployment.job import RUNNING
from claims_ops.deployment.steps import Grant
from claims_ops.doctor.finding import Check, Once, Verdict, failed, of_look, passed
from claims_ops.doctor.setup import NoCredentials, Setup
from pipeline.clients import LOGIN


def credentials(setup: Setup) -> Check:
    """Whether anybody is logged in."""

    def ask() -> Verdict:
        try:
            whose = setup.whose()
        except NoCredentials as none:
            return failed(str(none), LOGIN)
        if whose == "gcloud":
            return passed(
                f"logged in to gcloud; for claims replay and reconcile, also run `{LOGIN}`"
            )
        return passed(whose)

    return Check(
        "credentials", "your login", ask, "gcloud auth application-default print-access-token"
    )


def checks(setup: Setup) -> Iterator[Check]:
    """Services, account, roles."""
    to, gcloud = setup.to, setup.gcloud
    apis = plan.apis(to, gcloud)
    listed = gcloud.shown(("services", "list", "--enabled"))
    yield Check("apis", apis.title, lambda: of_look(apis.look()), listed)
    account = plan.account(to, gcloud)
    described = gcloud.shown(account.describe)
    yield Check("account", to.worker_account, lambda: of_look(account.look()), described)
    for grant in plan.grants(to, gcloud):
        yield Check("roles", grant.title, _looks(grant), grant.asks)


def job(setup: Setup, active: "Once[Mapping[str, Any] | None]") -> Check:
    """Whether the job runs."""
    name = f"{setup.to.name} in {setup.to.region}"

    def ask() -> Verdict:
        found = active()
        if found and (found["state"] == RUNNING or not setup.running):
            return passed(f"{found['id']} is {found['state']}")
        if found:
            message = f"{found['id']} is {found['state']}, not {RUNNING}"
            return failed(message, setup.gcloud.shown(setup.job.describe(found["id"])))
        if setup.running:
            return failed("no job with this name is running", setup.deploy("--from=launch"))
        return passed("no job with this name is running; the launch will start one")

    return Check("job", name, ask, setup.gcloud.shown(setup.job.list_active))


def _looks(grant: Grant | DatasetGrant) -> Callable[[], Verdict]:
    return lambda: of_look(grant.look())

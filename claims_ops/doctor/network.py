"""Checks of Compute Engine: region, network, and whether the quotas take the workers."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from claims_ops.deployment.gcloud import Command
from claims_ops.doctor import private_access
from claims_ops.doctor.finding import Check, Once, Unknown, Verdict, failed, passed
from claims_ops.doctor.setup import Setup
from claims_ops.shared.counted import counted

_DEFAULT_CPUS = 4
"""Of a worker whose machine type is left to Dataflow: its largest default."""
_NETWORKS: Command = ("compute", "networks")


def checks(setup: Setup) -> Iterator[Check]:
    """Region, network, quotas."""
    to = setup.to
    describe: Command = ("compute", "regions", "describe", to.region)
    region = Once(lambda: setup.gcloud.read(describe))
    shown = setup.gcloud.shown(describe)
    yield Check("region", to.region, lambda: _region(setup, region), shown)
    yield _network(setup)
    if to.workers.no_public_ips:
        yield private_access.check(setup, lambda: _network_name(setup))
    yield Check("quota", to.region, lambda: _quota(setup, region), shown)


def _region(setup: Setup, region: "Once[Mapping[str, Any] | None]") -> Verdict:
    found = region()
    if found is None:
        return failed("does not exist", setup.gcloud.shown(("compute", "regions", "list")))
    return passed(f"is {found['status']}")


def _network(setup: Setup) -> Check:
    to = setup.to
    given, network = to.workers.subnetwork, to.workers.network or "default"
    if given or to.workers.no_public_ips:
        subnets: Command = (*_NETWORKS, "subnets")
        # In an automatic network, each subnetwork has the name of the network.
        which = _subnetwork(given or f"regions/{to.region}/subnetworks/{network}")
        describe = (*subnets, "describe", *which)
        update = (*subnets, "update", *which, "--enable-private-ip-google-access")
        create = (*subnets, "create", *which, f"--network={network}", "--range=RANGE")
        shown = tuple(map(setup.gcloud.shown, (create, update)))
        return Check(
            "network",
            given or f"{network} in {to.region}",
            lambda: _subnetwork_verdict(setup, describe, *shown),
            setup.gcloud.shown(describe),
        )
    describe = (*_NETWORKS, "describe", network)
    create = (*_NETWORKS, "create", network, "--subnet-mode=auto")

    def exists() -> Verdict:
        if setup.gcloud.read(describe) is None:
            return failed("does not exist", setup.gcloud.shown(create))
        return passed("exists")

    return Check("network", network, exists, setup.gcloud.shown(describe))


def _network_name(setup: Setup) -> str:
    workers = setup.to.workers
    if not workers.subnetwork:
        return (workers.network or "default").rpartition("/")[2]
    found = setup.gcloud.read((*_NETWORKS, "subnets", "describe", *_subnetwork(workers.subnetwork)))
    if found is None:
        raise Unknown("the subnetwork does not exist")
    return str(found["network"]).rpartition("/")[2]


def _subnetwork(name: str) -> Command:
    """How to name it to gcloud: a URL, or a name with its region."""
    named = re.fullmatch(r"regions/([^/]+)/subnetworks/([^/]+)", name)
    return (named[2], f"--region={named[1]}") if named else (name,)


def _subnetwork_verdict(setup: Setup, describe: Command, create: str, update: str) -> Verdict:
    found = setup.gcloud.read(describe)
    if found is None:
        return failed("does not exist", create)
    region = str(found["region"]).rpartition("/")[2]
    if region != setup.to.region:
        there = setup.deploy(f"--region={region}")
        return failed(f"is in {region}, but the job runs in {setup.to.region}", there)
    if not setup.to.workers.no_public_ips:
        return passed("exists")
    if not found.get("privateIpGoogleAccess"):
        return failed(
            "does not have Private Google Access, which workers without public IP addresses need",
            update,
        )
    return passed("exists, with Private Google Access")


def cpus(machine_type: str | None) -> int:
    """Of a machine type, by its name, as in `n2-custom-8-16384` or `c3-standard-8-lssd`."""
    size = re.search(r"-(\d+)(?:-|$)", machine_type or "")
    return int(size[1]) if size else _DEFAULT_CPUS


def _quota(setup: Setup, region: "Once[Mapping[str, Any] | None]") -> Verdict:
    from pipeline.launch.dataflow import MAX_WORKERS

    found = region()
    if found is None:
        raise Unknown("the region does not exist")
    workers = setup.to.workers
    most = max(workers.max_workers or MAX_WORKERS, workers.num_workers or 0)
    needed = {"CPUS": cpus(workers.machine_type)}
    if not workers.no_public_ips:
        needed["IN_USE_ADDRESSES"] = 1
    quotas = {each["metric"]: each for each in found.get("quotas", ())}
    figures, room = [], math.inf
    for metric, each in needed.items():
        if metric not in quotas:
            raise Unknown(f"the quota {metric} is not reported")
        free = quotas[metric]["limit"] - quotas[metric]["usage"]
        room = min(room, free // each)
        need = "needs" if most == 1 else "need"
        figures.append(f"{metric}: {free:g} free, {counted(most, 'worker')} {need} {most * each}")
    if room >= most:
        return passed("; ".join(figures))
    if room < 1:
        quotas_of = ("beta", "quotas", "info", "list", "--service=compute.googleapis.com")
        return failed("; ".join(figures), setup.gcloud.shown(quotas_of))
    return failed("; ".join(figures), setup.deploy(f"--max-workers={room:g}"))

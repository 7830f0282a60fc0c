"""Whether workers without public addresses, and the launcher, reach Google and its registries.

Private Google Access takes traffic for Google's addresses only where a route to the default
internet gateway covers them. A private DNS zone for googleapis.com sends API calls to one of two
small ranges, and leaves gcr.io and pkg.dev, where images are pulled from, at public addresses
unless they have zones too (cloud.google.com/vpc/docs/configure-private-google-access).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any

from claims_ops.deployment.gcloud import Command
from claims_ops.doctor.finding import Check, Verdict, failed, passed
from claims_ops.doctor.setup import Setup

_GATEWAY = "default-internet-gateway"
_EVERYWHERE = IPv4Network("0.0.0.0/0")
_RANGES = {
    "private.googleapis.com": IPv4Network("199.36.153.8/30"),
    "restricted.googleapis.com": IPv4Network("199.36.153.4/30"),
}
_APIS, _REGISTRIES = "googleapis.com.", ("gcr.io.", "pkg.dev.")
_ROUTES: Command = ("compute", "routes", "list")
_ZONES: Command = ("dns", "managed-zones", "list")


def check(setup: Setup, network_of: Callable[[], str]) -> Check:
    """Routes and DNS zones of the network whose name `network_of` finds out."""

    def ask() -> Verdict:
        network = network_of()
        routes = setup.gcloud.read((*_ROUTES, f"--filter=network~/{network}$")) or ()
        zones = setup.gcloud.read(_ZONES) or ()
        return judged(setup, network, _targets(routes), _zones(zones, network))

    return Check("registry", "gcr.io and pkg.dev", ask, setup.gcloud.shown(_ROUTES))


def judged(
    setup: Setup, network: str, routed: Sequence[IPv4Network], zones: frozenset[str]
) -> Verdict:
    """What the ranges that are routed to the gateway, and the private zones, come to."""
    to_all = _EVERYWHERE in routed
    ranges = [
        name for name, each in _RANGES.items() if any(each.subnet_of(other) for other in routed)
    ]
    if not ranges:
        route = ("compute", "routes", "create", "google", f"--network={network}")
        target = (f"--destination-range={_EVERYWHERE}", f"--next-hop-gateway={_GATEWAY}")
        shown = setup.gcloud.shown((*route, *target))
        lost = "has no route to the default internet gateway, which Private Google Access needs"
        return failed(f"network {network} {lost}", shown)
    lacking = [name for name in (_APIS, *_REGISTRIES) if name not in zones]
    if to_all and _APIS in lacking:
        return passed(f"network {network} has a default route and uses public DNS")
    if not lacking:
        return passed(
            f"network {network} has private DNS zones for googleapis.com, gcr.io and pkg.dev"
        )
    name = lacking[0].rstrip(".")
    zone = ("dns", "managed-zones", "create", name.replace(".", "-"), f"--dns-name={lacking[0]}")
    seen_by = ("--visibility=private", f"--networks={network}", f"--description={ranges[0]}")
    *others, last = (each.rstrip(".") for each in lacking)
    names = f"{', '.join(others)} or {last}" if others else last
    message = f"network {network} has no private DNS zone for {names}"
    if to_all:
        message = (
            f"network {network} has a private DNS zone for googleapis.com but none for {names},"
            " which the launcher pulls its image from"
        )
    records = f"A records for {name} and *.{name} that point to {_RANGES[ranges[0]]}"
    return failed(
        f"{message}; create the zone for {name}, then add {records}",
        setup.gcloud.shown((*zone, *seen_by)),
    )


def _targets(routes: Iterable[Mapping[str, Any]]) -> list[IPv4Network]:
    """The IPv4 ranges that go to the internet gateway."""
    found = (
        ip_network(route["destRange"])
        for route in routes
        if str(route.get("nextHopGateway", "")).endswith(f"/{_GATEWAY}")
    )
    return [each for each in found if isinstance(each, IPv4Network)]


def _zones(zones: Iterable[Mapping[str, Any]], network: str) -> frozenset[str]:
    """The DNS names of the private zones that the network sees."""
    return frozenset(
        zone["dnsName"]
        for zone in zones
        if zone.get("visibility") == "private"
        for each in zone.get("privateVisibilityConfig", {}).get("networks", ())
        if str(each["networkUrl"]).endswith(f"/{network}")
    )

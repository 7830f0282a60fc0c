"""What routes and private DNS zones come to, for workers without public addresses."""

from types import SimpleNamespace
from typing import Any

import pytest

from claims_ops.deployment.gcloud import Gcloud
from claims_ops.doctor import private_access
from claims_ops.doctor.finding import Status

GATEWAY = (
    "https://www.googleapis.com/compute/v1/projects/p/global/gateways/default-internet-gateway"
)
DEFAULT = {"destRange": "0.0.0.0/0", "nextHopGateway": GATEWAY}
DEFAULT_V6 = {"destRange": "::/0", "nextHopGateway": GATEWAY}
PRIVATE = {"destRange": "199.36.153.8/30", "nextHopGateway": GATEWAY}
RESTRICTED = {"destRange": "199.36.153.4/30", "nextHopGateway": GATEWAY}
VPN = {"destRange": "0.0.0.0/0", "nextHopVpnTunnel": "t"}


def zone(name: str, network: str = "private", visibility: str = "private") -> dict[str, Any]:
    url = f"https://www.googleapis.com/compute/v1/projects/p/global/networks/{network}"
    return {
        "dnsName": name,
        "visibility": visibility,
        "privateVisibilityConfig": {"networks": [{"networkUrl": url}]},
    }


ALL = [zone("googleapis.com."), zone("gcr.io."), zone("pkg.dev.")]
CASES = {
    "defaults": ([DEFAULT], [], None, "default route"),
    "zones and default route": ([DEFAULT], ALL, None, "has private DNS zones"),
    "zones and their range": ([PRIVATE], ALL, None, "has private DNS zones"),
    "restricted": ([VPN, RESTRICTED], ALL, None, "has private DNS zones"),
    "no route": ([], ALL, "routes create google --network=private", "no route"),
    "route elsewhere": ([VPN], [], "routes create google", "no route"),
    "IPv6 only": ([DEFAULT_V6], [], "routes create google", "no route"),
    "no zone": ([PRIVATE], [], "create googleapis-com", "googleapis.com, gcr.io or pkg.dev"),
    "no registry": (
        [PRIVATE],
        ALL[:1],
        "create gcr-io --dns-name=gcr.io. --visibility=private --networks=private",
        "create the zone for gcr.io, then add A records for gcr.io and *.gcr.io that point to 199",
    ),
    "no pkg.dev beside a default route": (
        [DEFAULT],
        ALL[:2],
        "create pkg-dev",
        "has a private DNS zone for googleapis.com but none for pkg.dev, which the launcher",
    ),
    "zone of another network": (
        [PRIVATE],
        [*ALL[:2], zone("pkg.dev.", network="other-private")],
        "create pkg-dev",
        "pkg.dev",
    ),
    "public zone": ([PRIVATE], [*ALL[:2], zone("pkg.dev.", visibility="public")], "pkg-dev", ""),
}


@pytest.mark.parametrize("routes, zones, run, message", CASES.values(), ids=CASES)
def test_private_access(routes: list[Any], zones: list[Any], run: str | None, message: str):
    class Told(Gcloud):
        def read(self, command: tuple[str, ...]) -> Any:
            return routes if "routes" in command else zones

    setup: Any = SimpleNamespace(gcloud=Told("my-project"))
    verdict = private_access.check(setup, lambda: "private").ask()
    assert verdict.status is (Status.FAIL if run else Status.PASS)
    assert message in verdict.message
    assert (run or "") in (verdict.run or "")

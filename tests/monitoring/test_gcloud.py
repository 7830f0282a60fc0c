"""gcloud takes the files as they stand, and sends what Monitoring's API knows."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.test_files import ALERTS, DASHBOARD, content
from tests.support.google.gcloud import PROJECT, Gcloud
from tests.support.google.google_apis import Call, GoogleApis, google_apis


def echo(call: Call) -> Any:
    return call.body


class Monitoring:
    """Creates whatever fits its types."""

    def __init__(self, version: str) -> None:
        self.api = f"monitoring.{version}"
        self.answers: Mapping[str, Callable[[Call], Any]] = {
            "monitoring.projects.dashboards.create": echo,
            "monitoring.projects.alertPolicies.create": echo,
        }


@pytest.fixture
def apis(request: pytest.FixtureRequest) -> Iterator[GoogleApis]:
    with google_apis(Monitoring(request.param)) as started:
        yield started
    assert started.mistakes == []


@pytest.fixture
def gcloud(tmp_path: Path, apis: GoogleApis) -> Gcloud:
    return Gcloud(tmp_path, apis.environment)


@pytest.mark.parametrize("apis", ["v1"], indirect=True)
def test_gcloud_creates_the_dashboard(gcloud: Gcloud, apis: GoogleApis):
    gcloud.run("gcloud", "monitoring", "dashboards", "create", f"--config-from-file={DASHBOARD}")
    [call] = apis.calls
    assert call.names == {"projectsId": PROJECT}
    assert call.body == content(DASHBOARD)


@pytest.mark.parametrize("apis", ["v3"], indirect=True)
def test_gcloud_creates_the_alert_policies(gcloud: Gcloud, apis: GoogleApis):
    for path in ALERTS:
        create = ("gcloud", "alpha", "monitoring", "policies", "create")
        gcloud.run(*create, f"--policy-from-file={path}")
    assert apis.bodies("monitoring.projects.alertPolicies.create") == list(map(content, ALERTS))

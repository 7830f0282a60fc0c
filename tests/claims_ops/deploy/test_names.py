"""Names that follow from others, where a project has the name of a part of them."""

from types import SimpleNamespace
from typing import Any

import pytest

from claims_ops.deployment.gcloud import Gcloud
from claims_ops.deployment.names import Deployment
from claims_ops.doctor import pubsub


def test_secret_of_a_project_named_versions():
    secret = "projects/versions/secrets/key"
    to = Deployment(
        project="versions",
        region="us-central1",
        name="claims",
        bucket="versions-claims",
        repository="claims",
        template="gs://versions-claims/claims.json",
        location="us-central1",
        parameters={"pseudonym_key": f"{secret}/versions/1"},
        own_source=False,
    )
    assert to.secret == secret


def test_keeper_in_a_project_named_topics(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pubsub, "_get", lambda setup, name: None)
    checked: Any = SimpleNamespace(_setup=SimpleNamespace(gcloud=Gcloud("topics")))
    create = pubsub._Subscription._keeper(checked, "projects/topics/topics/dead")
    assert "projects/topics/subscriptions/dead" in create

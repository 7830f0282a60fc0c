"""A step that fails gets the hint of its cause."""

import pytest

from claims_ops.deploy.causes import remedy


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("(gcloud.pubsub) PERMISSION_DENIED: User not authorized", "lacks a role"),
        ("HTTPError 403: x does not have storage.buckets.create access", "lacks a role"),
        ("PERMISSION_DENIED: Billing account for project is not found", "link a billing account"),
        ("HTTPError 403: The billing account is disabled", "link a billing account"),
        ("You do not currently have an active account selected", "`gcloud auth login`"),
        ("Reauthentication failed. cannot prompt during execution", "`gcloud auth login`"),
        ("RESOURCE_EXHAUSTED: Quota exceeded for CPUS", "more quota"),
        ("HTTPError 409: The requested bucket name is not available.", "choose a different one"),
        ("PERMISSION_DENIED: SERVICE_DISABLED: it has not been used in project 1", "few minutes"),
        ("gs://b/t.json does not exist; create it with ./build_template.sh", "region, bucket and"),
        ("did not finish within 300 s", "`claims doctor`"),
    ],
)
def test_hint(reason: str, hint: str):
    assert hint in remedy(reason)

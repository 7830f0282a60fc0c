"""A step that fails gets the hint of its cause."""

from time import process_time

import pytest

from claims_ops.deploy.causes import remedy
from claims_ops.deployment.gcloud import StepFailed


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


@pytest.mark.parametrize(
    "name",
    [
        *("--project=acme-billing", "gs://acme-quota-claims", "projects/quota/topics/claims"),
        *("claims-403", "not_found@acme.com", "projects/p/subscriptions/not_found", "--name=quota"),
        "gs://service_does_not_exist/SERVICE_DISABLED",
    ],
)
def test_a_name_that_holds_the_words_of_another_cause(name: str):
    """The hint was to link a billing account; what could not be read counted as missing."""
    failed = StepFailed(f"`gcloud storage describe {name}`: gcloud crashed on [{name}].")
    assert "`claims doctor`" in remedy(failed.words)
    assert not failed.missing
    assert not failed.unsettled


def test_words_of_a_cause_beside_names():
    missing = StepFailed("`gcloud x --project=p`: NOT_FOUND: No such object: gs://b/t.json")
    assert missing.missing
    assert StepFailed("HTTPError 404: gs://b-1 not found: 404.").missing
    new = StepFailed(
        "INVALID_ARGUMENT: Service account a-1@p.iam.gserviceaccount.com does not exist."
    )
    assert new.unsettled


def test_a_long_word_takes_a_moment():
    """It took half a minute."""
    begun = process_time()
    assert StepFailed(f"{'a' * 20_000}: NOT_FOUND").missing
    assert process_time() - begun < 2

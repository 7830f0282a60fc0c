"""Checks of Cloud Storage: the bucket of the job, the template in it, and its image."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from claims_ops.deployment import plan
from claims_ops.deployment.steps import Resource
from claims_ops.doctor.finding import Check, Once, Unknown, Verdict, failed, of_look, passed
from claims_ops.doctor.images import image_verdict
from claims_ops.doctor.setup import Setup


def checks(setup: Setup) -> Iterator[Check]:
    """Bucket, template, image."""
    to = setup.to
    bucket = plan.bucket(to, setup.gcloud)
    by_hand = setup.shown("storage", bucket.describe)
    yield Check("bucket", f"gs://{to.bucket}", lambda: _bucket(setup, bucket), by_hand)
    spec = Once(lambda: _spec(setup))
    read = setup.shown("storage", ("storage", "cat", to.template))
    yield Check("template", to.template, lambda: _template(setup, spec), read)
    yield Check("image", "of the template", lambda: _image(setup, spec), read)


def _bucket(setup: Setup, wanted: Resource) -> Verdict:
    from google.api_core.exceptions import NotFound

    try:
        found = _client(setup).get_bucket(setup.to.bucket, timeout=setup.seconds, retry=None)
    except NotFound:
        return failed("does not exist", setup.shown("storage", wanted.create))
    return of_look(wanted.compare({"location": found.location}))


def _template(setup: Setup, spec: "Once[Mapping[str, Any] | None]") -> Verdict:
    found = spec()
    build = _build(setup)
    if found is None:
        return failed("does not exist", build)
    if not found.get("image"):
        return failed("is not a Flex Template spec, because it does not specify an image", build)
    declared = found.get("metadata", {}).get("parameters", ())
    known = {each["name"] for each in declared}
    strange = [name for name in setup.to.parameters if name not in known]
    if strange:
        reason = f"is from a different version, which does not support {', '.join(strange)}"
        return failed(reason, build)
    return passed(f"exists, with {len(known)} parameters")


def _image(setup: Setup, spec: "Once[Mapping[str, Any] | None]") -> Verdict:
    found = spec()
    if not found or not found.get("image"):
        raise Unknown("the template does not exist or does not specify an image", _build(setup))
    return image_verdict(setup, str(found["image"]), _build(setup))


def _spec(setup: Setup) -> Mapping[str, Any] | None:
    from google.api_core.exceptions import NotFound

    bucket, _, name = setup.to.template.removeprefix("gs://").partition("/")
    blob = _client(setup).bucket(bucket).blob(name)
    try:
        text = blob.download_as_bytes(timeout=setup.seconds, retry=None)
    except NotFound:
        return None
    try:
        spec = json.loads(text)
    except ValueError:
        return {}
    return spec if isinstance(spec, dict) else {}


def _build(setup: Setup) -> str:
    to = setup.to
    where = f"--project {to.project} --region {to.region} --bucket {to.bucket}"
    return f"./build_template.sh {where} --repository {to.repository}"


def _client(setup: Setup) -> Any:
    from google.cloud.storage import Client

    return Client(project=setup.to.project, credentials=setup.credentials("storage"))

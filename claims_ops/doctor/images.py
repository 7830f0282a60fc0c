"""Whether Artifact Registry has an image."""

import re

from claims_ops.deployment.gcloud import Gcloud
from claims_ops.doctor.finding import Unknown, Verdict, failed, passed
from claims_ops.doctor.setup import Setup

_IMAGE = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>(?:[a-z0-9.-]+/)?[a-z0-9-]+)"
    r"/(?P<repository>[a-z0-9-]+)/(?P<package>[^:@]+?)"
    r"(?::(?P<tag>[^:@]+))?(?:@(?P<digest>sha256:[0-9a-f]+))?"
)


def image_verdict(setup: Setup, image: str, build: str) -> Verdict:
    """Whether an image exists; `build` is the command that builds it.

    Raises:
        Unknown: it is not in Artifact Registry.
        StepFailed: gcloud does not answer.
    """
    named = _IMAGE.fullmatch(image)
    if not named:
        raise Unknown(f"{image} is not in Artifact Registry", f"docker manifest inspect {image}")
    gcloud = Gcloud(named["project"].replace("/", ":"), timeout_seconds=setup.seconds, patience=())
    place = (
        *(f"--location={named['location']}", f"--repository={named['repository']}"),
        f"--package={named['package'].replace('/', '%2F')}",
    )
    if named["digest"]:
        found = gcloud.read(("artifacts", "versions", "describe", named["digest"], *place))
    else:
        # `docker images describe` would need another API and another permission.
        tags = gcloud.read(("artifacts", "tags", "list", *place)) or ()
        wanted = named["tag"] or "latest"
        found = [tag for tag in tags if tag["name"].rpartition("/")[2] == wanted]
    return passed(f"{image} exists") if found else failed(f"{image} does not exist", build)

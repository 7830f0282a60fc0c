"""What usually makes a step fail, and what to do about it."""

import re

_CAUSES = {
    r"PERMISSION_DENIED|\b403\b|does not have permission|Permission '": (
        "the account that gcloud uses (`gcloud auth list`) lacks a role;"
        " docs/operate/deploy.md#before-you-start lists what it needs."
    ),
    r"[Bb]illing|BILLING": (
        "link a billing account to the project (console.cloud.google.com/billing/projects)."
    ),
    r"active account|[Rr]eauthenticat|invalid_grant|UNAUTHENTICATED|\b401\b": (
        "log in with `gcloud auth login`."
    ),
    r"[Qq]uota|QUOTA|RESOURCE_EXHAUSTED": (
        "ask for more quota (console.cloud.google.com/iam-admin/quotas), or pass --max-workers."
    ),
    r"ALREADY_EXISTS|already exists|name is not available|already own": (
        "one of the names, such as the bucket's, may already be taken; choose a different one"
        " (--bucket, --name), and pass it to build_template.sh too."
    ),
    r"SERVICE_DISABLED|has not been used in project": (
        "an API that was just enabled can take a few minutes to become available everywhere; wait,"
        " then try again."
    ),
    r"\./build_template\.sh": (
        "run ./build_template.sh with the same project, region, bucket and tag as this command."
    ),
}
"""Patterns of what gcloud says, the more telling ones last."""
_OTHERWISE = "`claims doctor` with the same options checks the whole project."


def remedy(reason: str) -> str:
    """What to do first about the reason of a failed step."""
    found = [text for pattern, text in _CAUSES.items() if re.search(pattern, reason)]
    return found[-1] if found else _OTHERWISE

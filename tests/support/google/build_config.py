"""What Cloud Build makes of a build, and refuses: what neither its schema nor gcloud checks."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

BUILT_IN = {
    "PROJECT_ID": "my-project",
    "PROJECT_NUMBER": "123456789012",
    "BUILD_ID": "00000000-0000-0000-0000-000000000000",
    "LOCATION": "us-central1",
    # Those of triggers; without one they are empty.
    **dict.fromkeys(
        "BRANCH_NAME COMMIT_SHA REF_NAME REPO_FULL_NAME REPO_NAME REVISION_ID SHORT_SHA TAG_NAME"
        " TRIGGER_NAME".split(),
        "",
    ),
}
"""Cloud Build's own substitutions."""

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Z_][A-Z0-9_]*)|\{(?P<braced>\w+)\})")


def mistakes(build: Mapping[str, Any]) -> list[str]:
    """What is wrong with a build, each in a line; its substitutions are those of the file."""
    return [*_step_mistakes(build.get("steps", [])), *_substitution_mistakes(build)]


def resolve(build: Mapping[str, Any], built_in: Mapping[str, str] = BUILT_IN) -> dict[str, Any]:
    """The build with every substitution made, as Cloud Build runs it.

    A script is never touched: it reads its environment.
    """
    own = build.get("substitutions", {})
    known = dict(built_in) | own
    for _ in range(len(own)):  # they may name each other
        known = {key: _replaced(value, known) for key, value in known.items()}
    whole = {key: _walked(value, known) for key, value in build.items() if key != "substitutions"}
    return whole | {"substitutions": {key: known[key] for key in own}}


def environment(step: Mapping[str, Any]) -> dict[str, str]:
    """What a step has in its environment."""
    return dict(each.split("=", 1) for each in step["env"])


def _step_mistakes(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for number, step in enumerate(steps):
        name = step.get("id", f"#{number}")
        if name in seen:
            yield f"step {name}: the id occurs twice"
        for awaited in step.get("waitFor", ()):
            if awaited != "-" and awaited not in seen:
                yield f"step {name}: waits for {awaited}, which is no step before it"
        if "script" in step and ("args" in step or "entrypoint" in step):
            yield f"step {name}: has a script, and so neither args nor entrypoint"
        seen.add(name)


def _substitution_mistakes(build: Mapping[str, Any]) -> Iterator[str]:
    declared = set(build.get("substitutions", {}))
    for name in sorted(declared):
        if not re.fullmatch("_[A-Z0-9_]+", name):
            yield f"substitution {name}: is not of the form _NAME"
    used = set(_names(build))
    for name in sorted(used - declared - set(BUILT_IN)):
        yield f"substitution {name}: is used and not declared"
    for name in sorted(declared - used):
        yield f"substitution {name}: is declared and not used"


def _names(node: Any) -> Iterator[str]:
    """Of all substitutions that are used."""
    if isinstance(node, str):
        for match in _REFERENCE.finditer(node):
            if not match["escaped"]:
                yield match["bare"] or match["braced"]
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key != "script":
                yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


def _walked(node: Any, known: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return _replaced(node, known)
    if isinstance(node, Mapping):
        return {
            key: value if key == "script" else _walked(value, known) for key, value in node.items()
        }
    return [_walked(value, known) for value in node] if isinstance(node, list) else node


def _replaced(text: str, known: Mapping[str, str]) -> str:
    return _REFERENCE.sub(
        lambda match: "$" if match["escaped"] else known[match["bare"] or match["braced"]], text
    )

"""What the default rules mean: a table names the rules that fired by their ids only."""

import json
from functools import cache
from importlib import resources


def meaning(rule: str) -> str:
    """The description of a default rule; empty for a rule of somebody's own."""
    return _meanings().get(rule, "")


@cache
def _meanings() -> dict[str, str]:
    rules = json.loads(resources.files("pipeline.claims").joinpath("rules.json").read_bytes())
    return {rule["id"]: rule["description"] for rule in rules["risk_rules"]}

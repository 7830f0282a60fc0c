"""Cases as data: NDJSON files below `tests/cases/claims`, one case a line."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2] / "cases" / "claims"

Case = dict[str, Any]

_DOCUMENT = {"set", "value", "remove", "text", "pieces"}
# File or folder -> keys that each case has, keys that it may have, and keys of which it has
# exactly one: what must come of it.
AREAS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "claim_schema": ({"id"}, _DOCUMENT, {"refused_at", "accepted"}),
    "decode": (
        {"id"},
        {"message", "base64", "pieces", "decimals", "whole_size"},
        {"error_code", "fields"},
    ),
    "fields": ({"rule"}, {"value", "absent"}, {"becomes", "violates"}),
    "hostile_sizes": (
        {"id", "pieces"},
        {"field", "also_nested"},
        {"accepted", "rejected", "violates"},
    ),
    "rules": ({"claim"}, set(), {"fires", "silent"}),
    "rules_document": ({"id"}, _DOCUMENT, {"refused_at", "accepted"}),
    "signals": ({"id", "signal", "claim"}, {"evidence"}, {"value"}),
    "score": ({"id", "claim", "reasons", "high_risk"}, set(), {"score"}),
}


def load(name: str) -> list[Case]:
    """The cases of one file, as `decode` or `fields/notes`.

    Raises:
        ValueError: a case lacks a key, has one that nothing reads, or has no single outcome.
    """
    needed, allowed, outcomes = AREAS[name.partition("/")[0]]
    cases = []
    for number, line in enumerate(_lines(name), 1):
        case = json.loads(line)
        keys = case.keys()
        if needed - keys or keys - needed - allowed - outcomes or len(keys & outcomes) != 1:
            raise ValueError(f"{name}.ndjson:{number}: has the keys {sorted(keys)}")
        case.setdefault("id", f"{name.rpartition('/')[2]}-{case.get('rule', 'line')}-{number}")
        cases.append(case)
    if len({case["id"] for case in cases}) < len(cases):
        raise ValueError(f"{name}.ndjson: an id stands twice")
    return cases


def _lines(name: str) -> list[str]:
    return (ROOT / f"{name}.ndjson").read_text("utf-8").splitlines()


def load_folder(folder: str) -> dict[str, list[Case]]:
    """The cases of each file of a folder, by the file's name without suffix."""
    names = sorted(path.stem for path in (ROOT / folder).iterdir())
    return {name: load(f"{folder}/{name}") for name in names}


def clean_claim() -> dict[str, Any]:
    """An ordinary claim: valid, nothing missing, no rule fires."""
    claim: dict[str, Any] = json.loads((ROOT / "clean_claim.json").read_text("utf-8"))
    return claim


def text_of(case: Case) -> str:
    """The text that a case spells out, or as pieces with the number of their repetitions."""
    return case["text"] if "text" in case else "".join(part * n for part, n in case["pieces"])


def identity(case: Case) -> str:
    """What pytest shows of a case."""
    return str(case["id"])

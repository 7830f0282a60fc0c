"""The corpus of hostile input: files below `tests/cases/hostile`, a case a line, each with what
must become of it. Large input is spelt as pieces with the number of their repetitions.

| file | a case |
|---|---|
| `json` | an unknown field (`literal`) or a message; `y-` is JSON, `n-` is not, `i-` is disputed |
| `naughty`, `injection` | a text, which fields of a claim hold |
| `sizes` | a field, a field name or a line of some size |
| `bombs` | a file, and the rows of its lines |

The cases of `tests/cases/claims` that tell of whole messages are here too.
"""

import base64
import bz2
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.claims import case_files, core
from tests.support.claims.case_files import Case
from tests.support.claims.core import CLEAN, with_literal

ROOT = Path(__file__).parents[1] / "cases/hostile"
UNKNOWN = "unknown"
"""A field that no contract has."""
ACCEPTED = "claims"

Outcome = str | tuple[str, str]
"""`ACCEPTED`, or stage and error code of the rejection."""


class Entry(NamedTuple):
    """One message, and the row that must become of it."""

    id: str
    data: bytes
    outcome: Outcome
    columns: dict[str, Any] = {}  # never changed
    """What its row holds, among others."""


class Bomb(NamedTuple):
    """One file, and what must become of each of its lines."""

    id: str
    suffix: str
    pieces: list[tuple[bytes, int]]
    rows: list[Outcome]

    def write(self, folder: Path) -> Path:
        """Make the file; no more than a piece of it is in memory."""
        path = folder / f"{self.id}.ndjson{self.suffix}"
        pack = _PACKERS[self.suffix]
        with path.open("wb") as file:
            for part, times in self.pieces:
                block = max(1, _BLOCK // len(part))
                for done in range(0, times, block):
                    file.write(pack(part * min(block, times - done)))
        return path


_BLOCK = 1 << 20
# Packed files one behind the other are a packed file.
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".gz.gz": lambda data: gzip.compress(gzip.compress(data, mtime=0)),
}

# File -> keys that each case has, keys of which it has exactly one: what it is, and what must
# come of it.
_SHAPES: dict[str, tuple[set[str], set[str], set[str]]] = {
    "json": (
        {"id"},
        {"literal", "literal_pieces", "message", "base64"},
        {"kept", "accepted", "rejected"},
    ),
    "naughty": ({"id", "kind"}, {"text"}, set()),
    "injection": ({"id", "kind"}, {"text"}, set()),
    "sizes": ({"id"}, {"field", "name", "line"}, {"accepted", "rejected"}),
    "bombs": ({"id", "packing", "pieces"}, set(), {"rows"}),
}


def load(name: str) -> list[Case]:
    """The cases of one file.

    Raises:
        ValueError: a case lacks a key, has one that nothing reads, or has no single outcome.
    """
    needed, kinds, outcomes = _SHAPES[name]
    cases = []
    for number, line in enumerate((ROOT / f"{name}.ndjson").read_text("utf-8").splitlines(), 1):
        case = json.loads(line)
        rest = case.keys() - needed - ({"pieces"} if kinds & {"field", "name"} else set())
        single = [rest & group for group in (kinds, outcomes) if group]
        if needed - case.keys() or rest - kinds - outcomes or any(len(one) != 1 for one in single):
            raise ValueError(f"{name}.ndjson:{number}: has the keys {sorted(case)}")
        cases.append(case)
    if len({case["id"] for case in cases}) < len(cases):
        raise ValueError(f"{name}.ndjson: an id stands twice")
    return cases


def texts() -> dict[str, str]:
    """Every naughty text and every injection, by its id."""
    return {case["id"]: case["text"] for name in ("naughty", "injection") for case in load(name)}


def entries() -> list[Entry]:
    """Every message of the corpus; no two have one id."""
    made = [*_of_json(), *_of_texts(), *_of_sizes(), *_of_decode_cases(), *_of_field_cases()]
    assert len({entry.id for entry in made}) == len(made)
    return made


def bombs() -> list[Bomb]:
    """Every file of the corpus."""
    claim = json.dumps(CLEAN).encode()
    return [
        Bomb(
            case["id"],
            f".{case['packing']}" if case["packing"] else "",
            [(part.encode().replace(b"@claim", claim), times) for part, times in case["pieces"]],
            [_outcome(row) for row in case["rows"]],
        )
        for case in load("bombs")
    ]


def _outcome(told: str | list[str]) -> Outcome:
    return told if isinstance(told, str) else (told[0], told[1])


def _outcome_of(case: Case) -> Outcome:
    return _outcome(case.get("rejected", ACCEPTED))


def _joined(pieces: list[tuple[str, int]]) -> str:
    return "".join(part * times for part, times in pieces)


def _of_json() -> Iterator[Entry]:
    for case in load("json"):
        if "base64" in case:
            data = base64.b64decode(case["base64"], validate=True)
        elif "message" in case:
            data = case["message"].encode()
        else:
            literal = case["literal"] if "literal" in case else _joined(case["literal_pieces"])
            data = with_literal(UNKNOWN, literal)
        columns = {"additional_fields": {UNKNOWN: case["kept"]}} if "kept" in case else {}
        yield Entry(f"json-{case['id']}", data, _outcome_of(case), columns)


def _of_texts() -> Iterator[Entry]:
    """Each text in every place of a claim that takes any, and in one that does not."""
    for name, text in texts().items():
        held = {"provider_region": text, "notes": text, "diagnosis_codes": [text]}
        if len(text) <= 128:
            held["claim_id"] = text
        unknown = {UNKNOWN: {text: [text]}, f"{text} ": text}
        data = json.dumps({**CLEAN, **held, **unknown}).encode()
        yield Entry(f"text-{name}", data, ACCEPTED, {**held, "additional_fields": unknown})
        data = json.dumps({**CLEAN, "patient_age": [text]}, ensure_ascii=False).encode()
        violations = {"violations": [("patient_age", "type")]}
        yield Entry(f"wrong-{name}", data, ("validate", "schema_violation"), violations)


def _of_sizes() -> Iterator[Entry]:
    for case in load("sizes"):
        if "line" in case:
            data = json.dumps(CLEAN).encode().ljust(case["line"])
            yield Entry(f"size-{case['id']}", data, _outcome_of(case))
            continue
        text = _joined(case["pieces"])
        field, value = (text, 1) if "name" in case else (case["field"], text)
        outcome = _outcome_of(case)
        columns = {field: value} if field in CLEAN and outcome == ACCEPTED else {}
        data = json.dumps({**CLEAN, field: value}).encode()
        yield Entry(f"size-{case['id']}", data, outcome, columns)


def _of_decode_cases() -> Iterator[Entry]:
    for case in case_files.load("decode"):
        data = core.message_of(case)
        if "whole_size" in case or b"\n" in data or data.endswith(b"\r"):
            continue  # not what a line of a file can be
        code = ("parse", case["error_code"]) if "error_code" in case else None
        yield Entry(f"decode-{case['id']}", data, code or ("validate", "schema_violation"))


def _of_field_cases() -> Iterator[Entry]:
    """Every rule of the claim schema, kept and broken, in each field."""
    for field, cases in case_files.load_folder("fields").items():
        for case in cases:
            data = with_literal(field, case.get("value"))
            name = f"field-{case['id']}"
            if "becomes" in case:
                yield Entry(name, data, ACCEPTED)
                continue
            rules = [core.violation_of(field, rule) for rule in case["violates"]]
            columns = {"violations": sorted(rules)}
            yield Entry(name, data, ("validate", "schema_violation"), columns)

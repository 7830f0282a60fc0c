"""A redacted error row shows how a message is built, and nothing that is in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims_ops.replay.message import message_data
from pipeline.claims.error_row import TEXT_LIMIT, error_row
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.privacy.redaction import redacted, structure
from tests.support.claims.core import CONTRACT, NOW
from tests.support.claims.strategies import BUDGET

NAMES = frozenset(CONTRACT.properties)
TYPES = {"string", "number", "boolean", "object", "array", None}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(NAMES)), inner)
    ),
)


@pytest.mark.parametrize(
    "text, shown",
    [
        ('{"claim_id": "C-1", "notes": 1}', {"claim_id": "string", "notes": "number"}),
        ('{"patient_age": 4.5, "notes": null}', {"patient_age": "number", "notes": None}),
        ('{"Ann": true, "Bob": {"notes": NaN}}', {"*1": "boolean", "*2": {"*1": "number"}}),
        ('{"diagnosis_codes": ["E11", 1, []]}', {"diagnosis_codes": ["string", "number", []]}),
        ('["Ann", "Bob"]', ["string", "string"]),
        ('"Ann"', "string"),
        ("1" * 5000, "number"),
        ('"\\ud800"', "string"),
    ],
)
def test_structure(text: str, shown: Any):
    assert json.loads(structure(text.encode(), NAMES) or "") == shown


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"Ann", b"\xff", b'{"notes": "Ann"', b'{"notes": 1} {}'),
        *(b"[" * 9000, b"1" * (TEXT_LIMIT + 1)),
    ],
    ids=["empty", "text", "bytes", "cut off", "two", "deep", "large"],
)
def test_what_is_no_document_leaves_nothing(data: bytes):
    assert structure(data, NAMES) is None


def test_deep_documents_are_shown_in_part():
    shown = structure(b'{"notes": ' + b"[" * 400 + b"]" * 400 + b"}", NAMES)
    assert shown == '{"notes": ' + "[" * 49 + '"array"' + "]" * 49 + "}"


def parts(shown: Any) -> set[str | None]:
    """The names and the values of a structure."""
    if isinstance(shown, list):
        return set().union(*map(parts, shown))
    if isinstance(shown, dict):
        names = {name for name in shown if not name.removeprefix("*").isdecimal()}
        return names.union(*map(parts, shown.values()))
    return {shown}


@BUDGET
@given(JSON)
def test_only_types_and_known_names_are_shown(document: Any):
    shown = structure(json.dumps(document).encode(), NAMES)
    assert shown is not None
    assert parts(json.loads(shown)) <= TYPES | NAMES


@pytest.mark.parametrize("data", [b'{"claim_id": "C-1"}', b"\xff", b"a" * (TEXT_LIMIT + 1)])
def test_row_keeps_cause_and_origin_alone(data: bytes):
    message = Message(data, "7", "2026-11-23T00:00:00Z", {"member": "Ann"})
    row = error_row(message, Rejection("validate", "schema_violation", "a: b", (), "C-1"), NOW)
    bare = redacted(row, message, NAMES)
    assert {name for name in bare if bare[name] != row.get(name)} >= {"claim_id", "attributes"}
    for name in ("stage", "error_code", "error", "raw_size", "message_id", "publish_time"):
        assert bare[name] == row[name]
    assert (bare["claim_id"], bare["attributes"], bare["raw_bytes"]) == (None, [], None)
    assert message_data(bare) is None

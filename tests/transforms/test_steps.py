"""The steps on batches against the same steps on one message after the other."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from apache_beam.pvalue import TaggedOutput
from hypothesis import given
from hypothesis import strategies as st

from pipeline.claims.documents import check_rules
from pipeline.claims.message import Message
from pipeline.claims.rules import default_rules_text
from pipeline.settings import Settings
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from pipeline.sinks.bigquery.encode.row_refusals import RowRefused
from pipeline.transforms.batch import Batch
from pipeline.transforms.metrics import live_counts
from pipeline.transforms.step import StepFn
from tests.support.claims.core import CLEAN
from tests.support.claims.strategies import BUDGET, messages
from tests.support.fuzz.oracles import CLAIM_COLUMNS, OWN, steps_of

# Values that a dictionary or a table may take for another.
FIELDS: dict[str, list[Any]] = {
    "claim_amount": [1, 1.0, "1", 0, -0.0, 0.1, "0.1", 6_000],
    "patient_age": [1, 1.0, 0, -0.0, None],
    "notes": ["1", "0", "", None, "x" * 200],
    "billing_npi": ["1234567893", "1", None],
    "total": [1, 1.0, "1", 2**63, 0.1, 1e16, 1e-38, None],
    "rate": [1, 1.0, -0.0, 0, 0.1, None],
    "is_emergency": [True, False, None],
    "units": [[1], [1.0], [0, 1], [], [2**63], None],
    "visits": [["2026-01-01T10:00:00Z"], ["2026-01-01t10:00:00z"], ["9999-12-31T23:59:59-01:00"]],
    "plan": [{"a": 1}, {"a": "1"}, {}, None],
    "lines": [[{"code": 1}], [{"code": True}], [{"code": 1.0}, {"code": None}], []],
    "unknown": [1, True, 1.0, {"a": [1]}],
}
ANY = [each for values in FIELDS.values() for each in values]
TESTED = [*FIELDS.keys() - {"unknown"}, "npi_check_digit_ok", "days_to_submission"]
CONDITIONS: list[dict[str, Any]] = [
    *({"const": value} for value in (1, True, "1", [1], {"a": 1})),
    {"minimum": 1},
    {"type": "integer"},
    {"contains": {"const": 1}},
]
RULES = json.loads(default_rules_text())
RULES["quality_rules"] += [
    {"id": f"{name}_{number}", "description": "", "when": {"properties": {name: condition}}}
    for name in TESTED
    for number, condition in enumerate(CONDITIONS)
]
RULES["quality_rules"] += [
    {
        "id": "across",
        "description": "",
        "when": {"anyOf": [{"properties": {"units": {"minItems": 2}}}]},
    }
]


@st.composite
def claims(draw: st.DrawFn) -> bytes:
    """The clean claim with other values, one of which may be that of another field."""
    changes = {
        name: draw(st.sampled_from(FIELDS[name]))
        for name in draw(st.lists(st.sampled_from([*FIELDS]), max_size=4))
    }
    if draw(st.sampled_from([True, False, False])):
        changes[draw(st.sampled_from([*FIELDS]))] = draw(st.sampled_from(ANY))
    return json.dumps(CLEAN | changes).encode()


def lead(
    steps: Sequence[StepFn], batches: list[Batch]
) -> tuple[list[Any], list[Any], list[bytes | RowRefused]]:
    """Rows and rejections with their messages, and the encoded rows."""
    rejected = []
    for step in steps:
        outputs = [output for batch in batches for output in step.process_batch(batch)]
        batches = [output for output in outputs if not isinstance(output, TaggedOutput)]
        for output in outputs:
            rejected += output.value if isinstance(output, TaggedOutput) else ()
    encoder = RowEncoder(CLAIM_COLUMNS)
    encoded: list[bytes | RowRefused] = []
    for batch in batches:
        encoded += encoder.encode(batch.subjects or ())
    return [pair for batch in batches for pair in batch], rejected, encoded


def counts(steps: Sequence[StepFn]) -> Counter[str]:
    """What the steps would tell Beam of the bundle, which a flush would forget."""
    total: Counter[str] = Counter()
    for step in steps:
        flush, step.tally.flush = step.tally.flush, lambda: None
        step.finish_bundle()
        total += step.tally
        flush()
    return total


SETTINGS = Settings(OWN, check_rules(json.dumps(RULES), OWN), 0.5, "0.0.0")
ALONE, TOGETHER = steps_of(SETTINGS), steps_of(SETTINGS)


MESSAGES = st.sampled_from([claims, claims, claims, messages]).flatmap(lambda kind: kind())


@BUDGET
@given(st.lists(st.tuples(MESSAGES, st.integers(0, 5)), max_size=8))
def test_a_batch_is_its_messages(some: list[tuple[bytes, int]]) -> None:
    # The history of a message without attributes cannot be read: a surprise, in EnrichClaims.
    given = [
        Message(data, str(place), None, {} if odd else None)  # type: ignore[arg-type]
        for place, (data, odd) in enumerate(some)
    ]
    alone = lead(ALONE, [Batch([message]) for message in given])
    together = lead(TOGETHER, [Batch(given)])
    assert [repr(each) for each in together[0]] == [repr(each) for each in alone[0]]
    assert sorted(map(repr, together[1])) == sorted(map(repr, alone[1]))
    assert together[2] == alone[2]
    assert len(together[0]) + len(together[1]) == len(given)
    assert counts(TOGETHER) == counts(ALONE)


def test_the_counts_of_an_open_bundle_can_be_watched():
    message = Message(json.dumps(CLEAN).encode())
    with live_counts() as live:
        steps = steps_of(SETTINGS)
        for seen in (3, 6):
            lead(steps, [Batch([message] * 3)])
            now = live.now()
            assert (now["received"], now["accepted"]) == (seen, seen)
        assert counts(steps)["accepted"] == 6

"""Messages as large as Pub/Sub takes: a stated outcome, in a time that grows with the size only.

A quadratic step would take minutes at these sizes; the limit leaves room for a busy machine.
"""

import time
import tracemalloc
from typing import Any

import pytest

from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from tests.support.claims.case_files import Case, identity, load, text_of
from tests.support.claims.core import CLEAN, VALIDATE, outcome, with_literal

pytestmark = pytest.mark.timeout(30)

NESTED = CLEAN | {"nested": {"of": "claim"}}  # a claim that is decoded the exact way


def assert_outcome(case: Case, data: bytes) -> None:
    verdict = outcome(data)
    if "accepted" in case:
        assert isinstance(verdict, dict)
        return
    assert isinstance(verdict, Rejection)
    if "rejected" in case:
        assert [verdict.stage, verdict.error_code] == case["rejected"]
    else:
        assert [[v.field, v.rule] for v in verdict.violations] == case["violates"]


@pytest.mark.parametrize("case", load("hostile_sizes"), ids=identity)
def test_hostile_size(case: Case) -> None:
    text = text_of(case)
    if "field" not in case:
        assert_outcome(case, text.encode())
        return
    assert_outcome(case, with_literal(case["field"], text))
    if "also_nested" in case:
        assert_outcome(case, with_literal(case["field"], text, NESTED))


@pytest.mark.parametrize("form", ["{%s}", "0, %s"], ids=["nested", "top-level"])
def test_hundred_thousand_keys_are_kept(form: str) -> None:
    keys = ",".join(f'"k{number}":{number}' for number in range(100_000))
    row = outcome(with_literal("unknown", form % keys))
    assert isinstance(row, dict)
    assert str(row["additional_fields"]).count("k") == 100_000 + 1  # and the k of `unknown`


def test_many_keys_of_one_message_cost_its_neighbours_nothing() -> None:
    many = {f"k{number}": number for number in range(50_000)}
    subjects: list[dict[str, Any]] = [CLEAN] * 99 + [CLEAN | many]
    tracemalloc.start()
    try:
        decided = VALIDATE.decide([Message(b"")] * 100, subjects)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(decided.outcomes) == 100
    assert peak < 50_000_000  # 5,000,000 fields would take hundreds of megabytes


WIDE: dict[str, dict[str, Any]] = {
    "unknown keys, and nothing else": {f"k{number}": "" for number in range(400_000)},
    "numbers in place of lines": CLEAN | {"service_lines": [5] * 1_000_000},
    "lists in place of a text": CLEAN | {"notes": [[[]]] * 500_000},
}


@pytest.mark.parametrize("what", WIDE)
def test_what_is_wrong_with_a_wide_claim_is_found_in_little_time(what: str) -> None:
    """It took up to a minute and gigabytes: each violation held a copy of what violates it."""
    started = time.process_time()
    decided = VALIDATE.decide([Message(b"")], [WIDE[what]])
    assert time.process_time() - started < 4
    [(_, rejection)] = decided.rejected
    assert rejection.error_code == "schema_violation"


def test_a_violation_beyond_those_that_are_listed_is_named() -> None:
    lines = [{}] * 20_000 + [{"units": 0.1234567890123}]
    for claim, field in (
        (CLEAN | {"service_lines": lines}, "service_lines"),
        (CLEAN | {"diagnosis_codes": ["I10"] * 2_000 + [{}]}, "diagnosis_codes[]"),
    ):
        [(_, rejection)] = VALIDATE.decide([Message(b"")], [claim]).rejected
        assert [violation.field for violation in rejection.violations] == [field]

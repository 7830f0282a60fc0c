"""The reference claims: each accepted, its days right, and no text that was a missing value."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.claims.core import accepted

FILE = Path(__file__).parents[3] / "shared" / "data" / "reference_claims.ndjson"

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the reference claims are not here")


@pytest.fixture(scope="module")
def rows() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    lines = FILE.read_bytes().splitlines()
    return [(json.loads(line), accepted(line)) for line in lines]


Rows = list[tuple[dict[str, Any], dict[str, Any]]]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, str):
        yield value
    elif not isinstance(value, bool | int | float | None):
        for item in value:
            yield from texts(item)


def test_all_are_accepted(rows: Rows) -> None:
    assert len(rows) == 2000
    assert all(row["additional_fields"] is None for _, row in rows)


def test_days_to_submission(rows: Rows) -> None:
    seen = set()
    for claim, row in rows:
        days = None
        if claim["service_date"] and claim["submission_date"]:
            service, submission = (
                datetime.strptime(claim[name][:10], "%Y-%m-%d").toordinal()
                for name in ("service_date", "submission_date")
            )
            days = submission - service
        assert row["days_to_submission"] == days
        seen.add(days if days is None else days > 60)
    assert seen == {None, False, True}


def test_no_missing_value_became_text(rows: Rows) -> None:
    for _, row in rows:
        assert not {"None", "none", "null", "nan", "NaN", ""} & set(texts(row))


def test_values_arrive_as_they_were_sent(rows: Rows) -> None:
    for claim, row in rows:
        sent = {name: value for name, value in claim.items() if name != "claim_amount"}
        arrays = {name: row[name] or [] for name in ("diagnosis_codes", "procedure_codes")}
        assert {**row, **arrays} | sent == {**row, **arrays}
        assert row["claim_amount"] == repr(claim["claim_amount"])


def test_label_never_changes_the_score(rows: Rows) -> None:
    for claim, row in rows[:500]:
        flipped = claim | {"synthetic_label_is_fraud": 1 - (claim["synthetic_label_is_fraud"] or 0)}
        again = accepted(json.dumps(flipped).encode())
        assert again | {"synthetic_label_is_fraud": row["synthetic_label_is_fraud"]} == row

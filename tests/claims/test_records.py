"""Claims with service lines, from the message to the encoded row; and the age of a patient."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.claims.age import age_at
from pipeline.claims.columns import Rows
from pipeline.claims.tables import claims_table
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from tests.support.claims.core import CLEAN, CONTRACT, RULES, rejected, row_of

CODES = sorted((Path(__file__).parents[1] / "cases/codes").glob("*.json"))


def encoded(row: dict[str, Any]) -> Any:
    encoder = RowEncoder(claims_table(CONTRACT).columns)
    [data] = encoder.encode(Rows({name: [value] for name, value in row.items()}))
    assert isinstance(data, bytes)
    return encoder.decode(data)


def test_999_lines() -> None:
    lines = [{"line_number": n, "units": n, "charge_amount": "0.01"} for n in range(1, 1000)]
    row = row_of(claim_amount=9.99, service_lines=lines)
    assert not row["quality_issues"]
    message = encoded(row)
    assert [line.line_number for line in message.service_lines] == list(range(1, 1000))
    assert sum(Decimal(line.charge_amount) for line in message.service_lines) == Decimal("9.99")


def test_1000_lines_are_too_many() -> None:
    rejection = rejected(json.dumps(CLEAN | {"service_lines": [{}] * 1000}).encode())
    assert rejection.violations == (
        ("service_lines", "maxItems", "item count above the maximum of 999"),
    )


def test_an_invalid_line_is_named() -> None:
    lines = [{"units": 1}] * 17 + [{"units": "two", "secret": "Canary"}, {"units": 1}]
    rejection = rejected(json.dumps(CLEAN | {"service_lines": lines}).encode())
    assert [tuple(each[:2]) for each in rejection.violations] == [
        ("service_lines[17].units", "type")
    ]
    assert rejection.error == "service_lines[].units: must be number or null"
    assert "Canary" not in repr(rejection)


def test_sums_that_are_off_by_a_cent_are_an_issue_and_no_error() -> None:
    lines = [{"charge_amount": 100.2}, {"charge_amount": 20.31}]
    assert row_of(service_lines=lines)["quality_issues"] == ("line_charges_do_not_match",)


def test_claims_with_and_without_lines_in_one_batch() -> None:
    rows = [row_of(), row_of(service_lines=[{"units": 2}, {}]), row_of(service_lines=[{}])]
    encoder = RowEncoder(claims_table(CONTRACT).columns)
    together = encoder.encode(Rows({name: [row[name] for row in rows] for name in rows[0]}))
    assert together == [encoder.encode([row])[0] for row in rows]
    assert [len(encoder.decode(data).service_lines) for data in together] == [0, 2, 1]  # type: ignore[attr-defined,arg-type]


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        ("1980-03-02", "2026-03-02", 46),
        ("1980-03-03", "2026-03-02", 45),
        ("2024-02-29", "2026-02-28", 1),
        ("2026-03-02", "2026-03-02", 0),
        ("2026-03-03", "2026-03-02", None),
        ("1875-03-02", "2026-03-02", None),
        (None, "2026-03-02", None),
        ("1980-03-02", None, None),
    ],
)
def test_age(birth: str | None, day: str | None, age: int | None) -> None:
    assert age_at(birth, day) == age
    born = {"patient_birth_date": birth, "service_date": day}
    assert row_of(patient_age=None, **born)["patient_age"] == age
    assert row_of(patient_age=7, **born)["patient_age"] == 7


@pytest.mark.parametrize("path", CODES, ids=lambda path: path.stem)
def test_rules_have_the_codes_of_the_published_list(path: Path) -> None:
    published = json.loads(path.read_text())
    assert published["source"] and published["read"]
    conditions = {rule.id: rule.when for rule in RULES.quality}
    for rule, field in published["rules"].items():
        schema = conditions[rule]["properties"][field]  # type: ignore[index]
        schema = schema.get("contains", schema)
        assert schema["not"]["enum"] == published["codes"]

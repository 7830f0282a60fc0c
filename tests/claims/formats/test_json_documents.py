"""From bytes to fields: every code of the parse step, and what must not be rejected."""

from decimal import Decimal

import pytest

from pipeline.claims.formats.json_documents import ERRORS, decode
from pipeline.claims.rejection import Rejection
from tests.support.claims.case_files import Case, identity, load
from tests.support.claims.core import CONTRACT, fields_of, message_of

CASES = load("decode")


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_message(case: Case) -> None:
    fields = fields_of(message_of(case))
    if "error_code" in case:
        assert isinstance(fields, Rejection)
        assert (fields.stage, fields.error_code) == ("parse", case["error_code"])
        assert fields.error == ERRORS[case["error_code"]]
        return
    assert not isinstance(fields, Rejection)
    decimals = {name: Decimal(text) for name, text in case.get("decimals", {}).items()}
    assert fields == case["fields"] | decimals
    assert {name for name, value in fields.items() if type(value) is Decimal} == decimals.keys()


def test_every_error_code_has_a_case() -> None:
    assert {case["error_code"] for case in CASES if "error_code" in case} == ERRORS.keys()


def test_only_exact_fields_keep_every_digit() -> None:
    assert decode(b'{"a": 0.12345678901234567890}', ["a"]) == {
        "a": Decimal("0.12345678901234567890")
    }
    assert decode(b'{"a": 0.12345678901234567890}', []) == {"a": 0.12345678901234568}
    assert "claim_amount" in CONTRACT.exact_fields

"""From bytes to fields: every code of the parse step, and what must not be rejected."""

import json
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


LONG = ("-80241446968629135069", "0.123456789012345678901234", "1e-400", "123456789012345.6789")
ROUNDED = [
    place % number
    for number in LONG
    for place in ('{"u": %s}', '{"b": 1, "u": [%s]}', '{"u": [[1, %s]]}', '{"u": {"v": %s}}')
]


@pytest.mark.parametrize("text", ROUNDED)
def test_every_digit_of_other_than_known_fields_is_kept(text: str) -> None:
    """In the spelling of orjson, of Python, and of neither."""
    for spelled in (text, text.replace(" ", ""), text.replace(" ", "  \n")):
        fields = decode(spelled.encode(), [], frozenset("b"))
        assert isinstance(fields, dict)
        assert fields == json.loads(spelled, parse_float=Decimal)


@pytest.mark.parametrize("text", ['{"u": 1.5}', '{"u": [0.1, -2e300, 18446744073709551615]}'])
def test_ordinary_numbers_stay_numbers(text: str) -> None:
    fields = decode(text.encode(), [], frozenset())
    assert isinstance(fields, dict)
    assert json.dumps(fields) == json.dumps(json.loads(text))
    assert Decimal not in map(type, fields.values())

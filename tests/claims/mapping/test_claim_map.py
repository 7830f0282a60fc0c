"""What becomes of maps and documents that go wrong."""

import json
import pickle
import resource
import time
from typing import Any

import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.document_text import DocumentError
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.mapping.mapper import Mapper
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from tests.claims.mapping.map_cases import examples

FAILED = {
    "an endless recursion": ("($f := function($n) { 1 + $f($n) }; $f(1))", "D1011"),
    "an endless loop": ("($f := function($n) { $f($n + 1) }; $f(1))", "U1006"),
    "ten million items": ("[1..10000000]", "U1001"),
    "a text that doubles": ("($f := function($s) { $f($s & $s) }; $f('abcdefgh'))", "U1001"),
    "backtracking": ("$match($pad('', 60, 'a') & 'X', /^(a+)+$/)", "D1012"),
    "a sum of text": ("{'claim_amount': $sum(['a', 1])}", "T0412"),
    "an error of its own": ("$error('SECRET')", "D3137"),
}


@pytest.mark.parametrize("what", FAILED)
def test_bounded(what: str) -> None:
    text, code = FAILED[what]
    started, held = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = ClaimMap(text).claims({"id": "SECRET"})
    assert outcome == Rejection("map", "map_failed", f"the map failed with JSONata error {code}")
    assert time.monotonic() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 400 << 10  # KiB


def test_many_codes_take_no_time_of_their_square() -> None:
    """The engine's own $distinct compares each of them with every other: 15 seconds of CPU."""
    codes = [f"code {number}" for number in range(90_000)]
    mapper = Mapper(ClaimMap("{'diagnosis_codes': [$distinct(codes)]}"), Contract.default())
    started = time.process_time()
    _, [claim] = mapper.apply([Message(json.dumps(codes).encode())], [{"codes": codes}])
    assert isinstance(claim, dict) and claim["diagnosis_codes"] == codes
    assert time.process_time() - started < 3


def test_items_that_the_map_makes_itself_take_no_time_of_their_square() -> None:
    """100,000 of them took 11 seconds of CPU, of a message of few bytes."""
    claim_map = ClaimMap("{'count': $count($distinct([1..100000]))}")
    started = time.process_time()
    outcome = claim_map.claims({}, 2)
    assert isinstance(outcome, Rejection) and outcome.error_code == "map_failed"
    assert time.process_time() - started < 1


@pytest.mark.parametrize("text", ["'text'", "7", "true", "[1, 2]", "[{'a': 1}, 'text']"])
def test_no_claims(text: str) -> None:
    outcome = ClaimMap(text).claims({})
    assert isinstance(outcome, Rejection) and outcome.error_code == "map_failed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'claim_id': id}", [{"claim_id": 7}]),
        ("[{'claim_id': id}, {'claim_id': 8}]", [{"claim_id": 7}, {"claim_id": 8}]),
        ("[]", []),
        ("[missing]", []),
    ],
)
def test_claims(text: str, expected: Any) -> None:
    assert list(ClaimMap(text).claims({"id": 7})) == expected


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"id": 7}, "the map found no claim in this document"),
        (
            {"resourceType": "Claim"},
            "the message looks like a FHIR R4 Claim; launch with claim_map=fhir_r4_claim",
        ),
        ([1], "the map found no claim in this document"),
    ],
)
def test_nothing(document: Any, error: str) -> None:
    assert ClaimMap("missing").claims(document) == Rejection("map", "no_claim", error)


@pytest.mark.parametrize("name", ["fhir_r4_claim", "fhir_r4_eob", "flat_json_example"])
def test_a_field_that_is_null_counts_as_missing(name: str) -> None:
    """Functions and operators that take no null failed: the message was rejected."""
    packaged = ClaimMap.packaged(name)
    documents = [doc for each in examples() if each.map_name == name for doc in each.documents()]
    for document in documents:
        for key in document.keys() - {"resourceType", "created", "total"}:
            missing = {other: value for other, value in document.items() if other != key}
            claims = packaged.claims({**document, key: None})
            assert type(claims) is tuple or claims == []
            if key in ("status", "sex", "outcome"):
                assert claims == packaged.claims(missing)


def test_nulls_are_left_out_only_where_the_map_cannot_work_with_them() -> None:
    doubled = ClaimMap('{"claim_id": id, "notes": [$uppercase(b)], "more": a}')
    assert doubled.claims({"id": "A", "a": None, "b": "x"}) == (
        {"claim_id": "A", "notes": ["X"], "more": None},
    )
    assert doubled.claims({"id": "A", "a": [None], "b": None}) == (
        {"claim_id": "A", "notes": [], "more": [None]},
    )
    deep = json.loads("[" * 300 + "]" * 300)
    for document in ({"b": 1, "a": None}, {"b": None, "a": deep}, {"b": [None]}):
        failed = doubled.claims(document)
        assert isinstance(failed, Rejection) and failed.error_code == "map_failed"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{\n  'claim_id': id,\n  'a': }", "line 3, column 8: "),
        ("{'claim_id': $today(id)}", "not defined by JSONata or the map: $today"),
        ("", ""),
    ],
)
def test_refused_at_launch(text: str, error: str) -> None:
    with pytest.raises(DocumentError) as caught:
        ClaimMap(text)
    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)


def test_pickles_as_its_text() -> None:
    claim_map = ClaimMap("{'claim_id': $date(id, '%Y')}")
    assert claim_map.claims({"id": "2026"}) == ({"claim_id": "2026-01-01"},)
    again = pickle.loads(pickle.dumps(claim_map))
    assert again.version == claim_map.version
    assert again.claims({"id": "2027"}) == ({"claim_id": "2027-01-01"},)

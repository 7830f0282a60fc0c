"""Every packaged map gives the golden claims of its examples, in both engines, all accepted."""

import json
from typing import Any

import pytest

from pipeline.claims.contract import Contract
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS, ClaimMap
from pipeline.claims.message import Unreadable
from pipeline.claims.rejection import Rejection
from pipeline.claims.validate import ClaimValidator
from tests.claims.mapping.map_cases import CASES, GOLDEN, Example, examples
from tests.claims.mapping.oracle import evaluate

EXAMPLES = examples()
EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.path.name)
REFUSED = {("sparse.json", "service_date"), ("other_currency.json", "claim_amount")}
"""Examples that hold a mistake, and the field that the contract names for it."""


@EACH
@pytest.mark.parametrize("size", [0, 1 << 20])
def test_golden_claims(example: Example, size: int) -> None:
    claim_map = ClaimMap.packaged(example.map_name)
    found: list[Any] = []
    for document in example.documents():
        if isinstance(document, Unreadable):
            found.append(document.error_code)
            continue
        claims = claim_map.claims(document, size)
        assert not isinstance(claims, Rejection), claims
        found.append(list(claims))
    assert found == json.loads(example.golden.read_text())


@EACH
def test_other_engine_agrees(example: Example) -> None:
    claim_map = ClaimMap.packaged(example.map_name)
    for document in example.documents():
        if not isinstance(document, Unreadable):
            other = evaluate(claim_map, document)
            assert list(claim_map.claims(document)) == (other if type(other) is list else [other])


@EACH
def test_contract_accepts(example: Example) -> None:
    validator = ClaimValidator(Contract.default())
    claims = [claim for claims in json.loads(example.golden.read_text()) for claim in claims]
    for claim in claims:
        if type(claim) is dict:
            claim = {"service_date": None, "submission_date": None, **claim}
            for rejection in validator.validate([claim]).rejected.values():
                refused = {(example.path.name, found.field) for found in rejection.violations}
                assert refused <= REFUSED


def test_complete() -> None:
    assert {example.map_name for example in EXAMPLES} == set(PACKAGED_MAPS)
    golden = {path for path in CASES.glob(f"*/*{GOLDEN}")}
    assert golden == {example.golden for example in EXAMPLES}

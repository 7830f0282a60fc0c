"""The synthetic claims: the shares and the relations that a claim system's data has."""

import tracemalloc
from collections import Counter, deque
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import orjson
import pytest

from pipeline.claims.contract import Contract
from sandbox.synthetic import fraud, synthetic
from sandbox.synthetic.billing import CHARGES, SPECIALTIES
from sandbox.synthetic.population import GROUPS, npi_check_digit
from sandbox.synthetic.synthetic import MISSING_SHARES, claims

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
COUNT = 20_000
ONE = set(next(claims(1, NOW, variants=0, detailed=0))) | set(MISSING_SHARES) - {
    "patient_birth_date",
    "provider_specialty",
}
"""Fields of contract 1.x."""
Claim = dict[str, Any]


@pytest.fixture(scope="module")
def sample() -> list[Claim]:
    """Claims in their plain spelling."""
    return list(islice(claims(7, NOW, variants=0.0), COUNT))


def _is_fraud(claim: Claim) -> bool:
    return bool(claim["synthetic_label_is_fraud"])


def _share(claims: list[Claim], holds: Any) -> float:
    return sum(map(bool, map(holds, claims))) / len(claims)


def _days_to_submission(claim: Claim) -> int | None:
    served, submitted = claim["service_date"], claim["submission_date"]
    if not (served and submitted):
        return None
    return (date.fromisoformat(submitted) - date.fromisoformat(served)).days


def test_same_seed_and_now_give_the_same_bytes() -> None:
    def text(seed: int, now: datetime = NOW) -> bytes:
        return b"".join(map(orjson.dumps, islice(claims(seed, now, 0.5), 3000)))

    assert text(1) == text(1)
    assert text(1) != text(2)
    assert text(1) != text(1, datetime(2025, 1, 1, tzinfo=UTC))


def test_yielded_claims_are_the_caller_s_to_change() -> None:
    changed = claims(3, NOW)
    for claim in islice(changed, 3000):
        claim.clear()
    assert list(islice(changed, 500)) == list(islice(claims(3, NOW), 3000, 3500))


def test_fields_are_those_of_the_contract() -> None:
    """A new optional field needs no generator; a made-up or a required field must be there."""
    contract = Contract.default()
    assert synthetic.fields() <= set(contract.properties)
    assert synthetic.fields() >= set(contract.document["required"])


@pytest.mark.parametrize("field", MISSING_SHARES)
def test_optional_fields_are_missing_now_and_then(sample: list[Claim], field: str) -> None:
    if field not in ONE:  # of contract 2.0
        sample = [claim for claim in sample if "claim_type" in claim]
    assert 0.03 < _share(sample, lambda claim: claim.get(field) in (None, [])) < 0.08


def test_required_fields_are_never_missing(sample: list[Claim]) -> None:
    contract = Contract.default()
    for claim in sample:
        assert all(name in claim for name in contract.document["required"])
    ids = ("claim_id", "patient_id", "provider_id", "claim_amount", "claim_status")
    assert all(claim[name] is not None for claim in sample for name in ids)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_some_percent_are_labelled_fraud(seed: int) -> None:
    assert 0.038 < _share(list(islice(claims(seed, NOW), COUNT)), _is_fraud) < 0.056
    plain = list(islice(claims(seed, NOW, detailed=0), COUNT))
    assert 0.024 < _share(plain, _is_fraud) < 0.036


def test_one_percent_is_sent_twice(sample: list[Claim]) -> None:
    times = Counter(
        (claim["claim_id"], claim.get("claim_frequency_code"), claim["claim_amount"])
        for claim in sample
    )
    assert 0.007 < 1 - len(times) / COUNT < 0.013


def test_submission_delays(sample: list[Claim]) -> None:
    delays = [days for days in map(_days_to_submission, sample) if days is not None]
    late = sum(days > 60 for days in delays) / len(delays)
    early = sum(days < 0 for days in delays) / len(delays)
    assert 0.04 < late < 0.06
    assert 0.002 < early < 0.015
    assert sorted(delays)[len(delays) // 2] < 15


def test_nothing_is_dated_after_now(sample: list[Claim]) -> None:
    days = [claim[n] for claim in sample for n in ("service_date", "submission_date") if claim[n]]
    assert max(days) == NOW.date().isoformat()


def test_npis_have_a_valid_check_digit_mostly(sample: list[Claim]) -> None:
    def is_valid(npi: str) -> bool:
        return len(npi) == 10 and npi_check_digit(npi[:9]) == int(npi[9])

    npis = [claim["billing_npi"] for claim in sample if claim.get("billing_npi")]
    assert 0.90 < sum(map(is_valid, npis)) / len(npis) < 0.96


@pytest.mark.parametrize("npi", ["1234567893", "1245319599", "1003000126"])
def test_check_digit_of_published_npis(npi: str) -> None:
    assert npi_check_digit(npi[:9]) == int(npi[9])


def test_amounts_are_skewed_with_outliers(sample: list[Claim]) -> None:
    amounts = sorted(claim["claim_amount"] for claim in sample)
    assert 150 < amounts[COUNT // 2] < 500
    assert amounts[-COUNT // 100] > 20 * amounts[COUNT // 2]
    assert 0 < amounts[0]
    assert amounts[-1] <= 1_000_000


def test_fraud_can_be_learned(sample: list[Claim]) -> None:
    guilty = [claim for claim in sample if _is_fraud(claim)]
    honest = [claim for claim in sample if not _is_fraud(claim)]

    def ratio(holds: Any) -> float:
        return _share(guilty, holds) / max(_share(honest, holds), 1 / len(honest))

    fraud_by_provider = Counter(claim["provider_id"] for claim in guilty)
    worst = {provider for provider, _ in fraud_by_provider.most_common(20)}
    assert ratio(lambda c: c["claim_amount"] > 5000) > 5
    assert ratio(lambda c: (_days_to_submission(c) or 0) < 0) > 5
    assert ratio(lambda c: c["provider_id"] in worst) > 5
    assert ratio(lambda c: (c.get("patient_age") or 99) < 2 and c["claim_amount"] > 10_000) > 50


def test_labels_are_noisy() -> None:
    """The age of an honest patient never contradicts the operation, so such a 0 is a mistake."""
    operations = {procedure for procedure, _ in fraud.IMPOSSIBLE}
    impossible = [
        claim
        for claim in islice(claims(5, NOW, 0.0), 60_000)
        if claim.get("patient_age", 99) in (0, 1)
        and operations & set(claim.get("procedure_codes", ()))
    ]
    assert 0.9 < _share(impossible, _is_fraud) < 1.0


def test_honest_patients_fit_their_services(sample: list[Claim]) -> None:
    for claim in sample:
        codes, age = claim.get("procedure_codes", []), claim.get("patient_age")
        if _is_fraud(claim) or age is None or not codes:
            continue
        if codes[0] in ("59400", "59510"):
            assert claim.get("patient_gender") in ("F", None)
        if codes[0] == "99392":
            assert 1 <= age <= 4


def test_every_service_can_be_drawn() -> None:
    for _, services in SPECIALTIES.values():
        for service in services:
            assert service.patients in GROUPS
            assert {*service.procedures.split(), *service.extras.split()} <= set(CHARGES)
            assert service.diagnoses.split()
            assert all(len(place) == 2 for place in service.places.split())


def test_memory_does_not_grow_with_the_claims():
    source = claims(1, NOW)
    deque(islice(source, 6_000), maxlen=0)  # by then, as many are kept as ever will be
    tracemalloc.start()
    try:
        deque(islice(source, 6_000), maxlen=0)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Claims that were kept before make room for as many new ones: about 2 MB.
    assert grown < 4_000_000

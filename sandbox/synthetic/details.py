"""What contract 2.0 adds to a synthetic claim: lines, money, the kind of claim, the stay."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.synthetic.billing import CHARGES, CMS_SPECIALTIES
from sandbox.synthetic.population import Patient, Provider

Claim = dict[str, Any]

PAYERS = ("PAYER-A", "PAYER-A", "PAYER-B", "PAYER-C")
INPATIENT_SHARE = 0.5
"""Of the claims with place of service 21: those of the hospital itself, not of its physicians."""
DISCHARGED = ("01", "01", "01", "06", "03", "62", "07", "20")
DRGS = ("193", "291", "392", "470", "603", "683", "690", "765", "871", "872")
TIMED = ("97110", "97140", "97530", "A0425", "J0882", "J9271")
"""Services that are billed by the unit."""
ROOM = "0120"
REVENUE_CODES = {"3": "0360", "7": "0320", "8": "0300", "9": "0450", "A": "0540", "J": "0636"}
"""Revenue code of a hospital's line by the first character of its procedure code."""


def add_details(
    claim: Claim, provider: Provider, patient: Patient, rng: Random, stay: int | None = None
) -> None:
    """Add the fields of contract 2.0. `stay` makes it a hospital's claim of so many days."""
    is_hospital = claim["place_of_service"] == "21" and rng.random() < INPATIENT_SHARE
    if stay is None and is_hospital:
        stay = 1 + min(int(rng.expovariate(1 / 4)), 30)
    first = date.fromisoformat(claim["service_date"])
    last = first + timedelta(days=stay or 0)
    if stay and last > date.fromisoformat(claim["submission_date"]):
        last = max(first, date.fromisoformat(claim["submission_date"]))
    is_inpatient = stay is not None
    claim |= {
        "rendering_npi": None if is_inpatient else provider.billing_npi,
        "facility_npi": provider.facility_npi if claim["place_of_service"] != "11" else None,
        "provider_specialty": CMS_SPECIALTIES[provider.specialty],
        "payer_id": PAYERS[int(patient.patient_id[4:]) % len(PAYERS)],
        "service_end_date": last.isoformat(),
        "admission_date": claim["service_date"] if is_inpatient else None,
        "claim_type": "institutional" if is_inpatient else "professional",
        "claim_frequency_code": "1",
        "original_claim_id": None,
        "bill_type": "111" if is_inpatient else None,
        "drg_code": rng.choice(DRGS) if is_inpatient else None,
        "discharge_status": rng.choice(DISCHARGED) if is_inpatient else None,
        "patient_birth_date": _birth(patient, first).isoformat(),
    }
    bill(claim, rng)


def _birth(patient: Patient, day: date) -> date:
    """A day of birth that makes a patient of this age on a day; the same in each year."""
    days_since_birthday = int(patient.patient_id[4:]) % 300
    birthday = day - timedelta(days=days_since_birthday)
    return birthday.replace(year=birthday.year - patient.age, day=min(birthday.day, 28))


def bill(claim: Claim, rng: Random) -> None:
    """Write the lines, which sum up to the claim's amount, and what the payer pays."""
    cents = round(claim["claim_amount"] * 100)
    is_inpatient = claim["claim_type"] == "institutional"
    codes: list[str | None] = [*claim["procedure_codes"], *([None] if is_inpatient else [])]
    weights = [CHARGES.get(code, 100) if code else 1_800 for code in codes]
    lines = []
    for number, (code, part) in enumerate(zip(codes, split(cents, weights), strict=True), 1):
        units = rng.randint(1, 4) if code in TIMED else 1
        if code is None:
            units = max(1, _days(claim))
        lines.append(
            {
                "line_number": number,
                "procedure_code": code,
                "modifiers": ["25"] if number == 1 and len(codes) > 2 and not is_inpatient else [],
                "revenue_code": REVENUE_CODES.get((code or "")[:1], ROOM) if is_inpatient else None,
                "units": units,
                "charge_amount": part / 100,
                "allowed_amount": None,
                "paid_amount": None,
                "service_date": claim["service_date"],
                "service_end_date": claim["service_end_date"],
                "place_of_service": None if is_inpatient else claim["place_of_service"],
                "rendering_npi": None,
                "diagnosis_pointers": [1],
                "ndc": None,
            }
        )
    claim["service_lines"] = lines
    settle(claim, rng.uniform(0.35, 0.85))


def settle(claim: Claim, allowed_share: float) -> None:
    """What the payer allows and pays of each line and of the claim, once it has decided."""
    share = {"PAID": allowed_share, "DENIED": 0.0}.get(claim["claim_status"])
    for name, part in (("allowed_amount", 1.0), ("paid_amount", 0.8)):
        total = 0
        for line in claim["service_lines"]:
            cents = None if share is None else round(line["charge_amount"] * 100 * share * part)
            line[name] = None if cents is None else cents / 100
            total += cents or 0
        claim[name] = None if share is None else total / 100


def split(cents: int, weights: Sequence[int]) -> list[int]:
    """An amount in parts that sum up to it."""
    parts = [cents * weight // sum(weights) for weight in weights]
    parts[-1] += cents - sum(parts)
    return parts


def _days(claim: Claim) -> int:
    first, last = (date.fromisoformat(claim[n]) for n in ("service_date", "service_end_date"))
    return (last - first).days

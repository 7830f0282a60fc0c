"""The ways in which some synthetic claims are fraudulent: the causes that a model can learn."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from sandbox.synthetic.population import npi

Claim = dict[str, Any]

MISSED_SHARE = 0.03
"""Fraud that nobody found: labelled 0 although it has a cause."""
ACCUSED_SHARE = 0.0008
"""Honest claims that are labelled 1."""
UPCODED = {"99213": "99215", "99214": "99215", "99283": "99285", "99284": "99285", "90834": "90837"}
"""The service that was given, and the dearer one that is billed for it."""
IMPOSSIBLE = (("27447", "M17.11"), ("27130", "M16.11"), ("66984", "H25.13"), ("93458", "I25.10"))
"""Procedure and diagnosis that no newborn has: knees, hips, cataracts, coronaries."""


class Cause(NamedTuple):
    """One kind of fraud."""

    weight: int
    commit: Callable[[Claim, Sequence[Claim], Random], Claim]
    """Takes an honest claim and some earlier ones, returns the fraudulent claim."""


def upcode(claim: Claim, earlier: Sequence[Claim], rng: Random) -> Claim:
    """Bills a dearer service, several times over."""
    return claim | {
        "procedure_codes": [UPCODED.get(code, code) for code in claim["procedure_codes"]],
        "claim_amount": round(1_500 + claim["claim_amount"] * rng.lognormvariate(1.5, 0.5), 2),
    }


def bill_twice(claim: Claim, earlier: Sequence[Claim], rng: Random) -> Claim:
    """Bills a service again that was billed before, as a new claim."""
    if not earlier:
        return upcode(claim, earlier, rng)
    new = ("claim_id", "submission_date", "claim_status", "ingest_ts")
    return rng.choice(earlier) | {name: claim[name] for name in new}


def bill_impossible(claim: Claim, earlier: Sequence[Claim], rng: Random) -> Claim:
    """Bills an operation that a patient of this age cannot have had."""
    procedure, diagnosis = rng.choice(IMPOSSIBLE)
    return claim | {
        "diagnosis_codes": [diagnosis],
        "procedure_codes": [procedure],
        "claim_amount": round(rng.lognormvariate(9.6, 0.3), 2),
        "patient_age": rng.randrange(2),
    }


def bill_phantom(claim: Claim, earlier: Sequence[Claim], rng: Random) -> Claim:
    """Bills what never took place: a round sum, a made-up NPI, sent before the day of service."""
    return claim | {
        "billing_npi": npi(rng, valid=False),
        "claim_amount": float(500 * rng.randrange(5, 40)),
        "service_date": max(claim["service_date"], claim["submission_date"]),
        "submission_date": min(claim["service_date"], claim["submission_date"]),
    }


CAUSES: dict[str, Cause] = {
    "upcoding": Cause(9, upcode),
    "duplicate_billing": Cause(4, bill_twice),
    "impossible_service": Cause(3, bill_impossible),
    "phantom_billing": Cause(4, bill_phantom),
}

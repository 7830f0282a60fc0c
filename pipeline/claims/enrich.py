"""Features: what rules need to know of a claim and a JSON Schema cannot say across fields."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

_NPI_CONSTANT = 24
"""Luhn sum of the prefix 80840 that makes an NPI a card issuer number (CMS, 45 CFR 162.406)."""
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


@lru_cache(maxsize=16_384)
def _day(text: str) -> date:
    return date.fromisoformat(text)


def days_to_submission(claim: Mapping[str, Any]) -> int | None:
    """Days from service to submission: negative when submitted before; None without a date."""
    service, submission = claim["service_date"], claim["submission_date"]
    if service is None or submission is None:
        return None
    return (_day(submission) - _day(service)).days


def within_timely_filing(facts: Mapping[str, Any]) -> bool | None:
    """Whether the claim came within one calendar year of the service, as Medicare asks.

    None without both dates. The year ends on the same day of the next year (42 CFR 424.44); for
    a service on 29 February, on 28 February.
    """
    days = facts["days_to_submission"]
    if days is None or days <= 365:
        return None if days is None else True
    service, submission = facts["service_date"], facts["submission_date"]
    last_day = "-02-28" if service[4:] == "-02-29" else service[4:]
    return (int(submission[:4]), submission[4:]) <= (int(service[:4]) + 1, last_day)


@lru_cache(maxsize=65_536)
def _npi_check_digit_ok(npi: str) -> bool:
    if len(npi) != 10 or not (npi.isascii() and npi.isdigit()) or npi[0] not in "12":
        return False
    digits = [int(digit) for digit in npi]
    total = _NPI_CONSTANT + sum(digits[1::2]) + sum(_LUHN_DOUBLED[d] for d in digits[::2])
    return total % 10 == 0


def npi_check_digit_ok(claim: Mapping[str, Any]) -> bool | None:
    """Whether the billing NPI is ten digits, begins with 1 or 2, and passes its Luhn check.

    None without an NPI.
    """
    npi = claim.get("billing_npi")
    return None if npi is None else _npi_check_digit_ok(npi)


FEATURES: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "days_to_submission": days_to_submission,
    "within_timely_filing": within_timely_filing,
    "npi_check_digit_ok": npi_check_digit_ok,
}
"""Each feature by the name under which rules test it: a pure function of a valid claim and of the
features before it."""


def facts_of(claim: Mapping[str, Any]) -> dict[str, Any]:
    """A claim with its features: what rules see."""
    facts = dict(claim)
    for name, feature in FEATURES.items():
        facts[name] = feature(facts)
    return facts

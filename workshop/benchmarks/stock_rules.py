"""What the stock pipeline says of a claim: features and rules, written out by hand.

The verdicts are those of the product's rules; the tests hold both together.
"""

import re
from datetime import date
from typing import Any

from workshop.benchmarks.stock_contract import DATES

PLACES_OF_SERVICE = frozenset(
    "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 31 32 33 34"
    " 41 42 49 50 51 52 53 54 55 56 57 58 60 61 62 65 66 71 72 81 99".split()
)
_DIAGNOSIS = re.compile(r"[A-Z][0-9][0-9AB](\.?[0-9A-Z]{1,4})?")
_PROCEDURE = re.compile(r"[0-9]{4}[0-9A-Z]|[A-Z][0-9]{4}")


def days_to_submission(claim: dict[str, Any]) -> int | None:
    """Days from service to submission."""
    service, submission = claim["service_date"], claim["submission_date"]
    if service is None or submission is None:
        return None
    return (date.fromisoformat(submission) - date.fromisoformat(service)).days


def is_late_for_medicare(claim: dict[str, Any], days: int | None) -> bool:
    """Whether it came later than a calendar year after the service."""
    if days is None or days <= 365:
        return False
    service = date.fromisoformat(claim["service_date"])
    day = 28 if (service.month, service.day) == (2, 29) else service.day
    return date.fromisoformat(claim["submission_date"]) > date(service.year + 1, service.month, day)


def is_npi(npi: str) -> bool:
    """Whether it is ten digits that pass the Luhn check of an NPI."""
    if len(npi) != 10 or not npi.isdigit() or npi[0] not in "12":
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in npi[::2])
    return (24 + doubled + sum(int(digit) for digit in npi[1::2])) % 10 == 0


def risks(claim: dict[str, Any], days: int | None) -> dict[str, float]:
    """The weights of the risk rules that fire, by id."""
    found = {}
    if claim["claim_amount"] > 5_000:
        found["high_amount"] = 0.3
    age = claim["patient_age"]
    if age is not None and age < 2 and claim["claim_amount"] > 10_000:
        found["infant_high_amount"] = 0.4
    if days is not None and days > 60:
        found["late_submission"] = 0.2
    if days is not None and days < 0:
        found["submitted_before_service"] = 0.15
    if claim["billing_npi"] is not None and not is_npi(claim["billing_npi"]):
        found["invalid_npi"] = 0.1
    if not claim["diagnosis_codes"]:
        found["no_diagnosis"] = 0.05
    if not claim["procedure_codes"]:
        found["no_procedure"] = 0.05
    return found


def quality_issues(claim: dict[str, Any], days: int | None) -> list[str]:
    """The ids of the quality rules that fire."""
    wanted = (*DATES, "billing_npi", "provider_region", "patient_age", "patient_gender")
    found = [f"missing_{name}" for name in (*wanted, "place_of_service") if claim[name] is None]
    place = claim["place_of_service"]
    if place is not None and place not in PLACES_OF_SERVICE:
        found.append("unknown_place_of_service")
    if not all(_DIAGNOSIS.fullmatch(code) for code in claim["diagnosis_codes"]):
        found.append("diagnosis_code_format")
    if not all(_PROCEDURE.fullmatch(code) for code in claim["procedure_codes"]):
        found.append("procedure_code_format")
    if is_late_for_medicare(claim, days):
        found.append("beyond_timely_filing")
    return found

"""What the stock pipeline says of a claim: features and rules, written out by hand.

Weights, code lists, patterns and the fields whose absence is an issue come from the product's
rules. It knows the rules of `KNOWN` alone: it does less work than the product where a later rule
reads more. The tests hold the verdicts of these rules together.
"""

import json
import re
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

RULES: dict[str, Any] = json.loads(
    files("pipeline.claims").joinpath("rules.json").read_text("utf-8")
)
_WEIGHTS = {rule["id"]: rule["weight"] for rule in RULES["risk_rules"]}
_WHEN = {rule["id"]: rule["when"]["properties"] for rule in RULES["quality_rules"]}
_MISSING = {
    rule: name
    for rule, when in _WHEN.items()
    for name, asked in when.items()
    if len(when) == 1 and asked == {"type": "null"}
}
"""Rule -> field that must not be null."""
_PLACES = frozenset(_WHEN["unknown_place_of_service"]["place_of_service"]["not"]["enum"])
_DIAGNOSIS, _PROCEDURE = (
    re.compile(_WHEN[f"{kind}_code_format"][f"{kind}_codes"]["contains"]["not"]["pattern"])
    for kind in ("diagnosis", "procedure")
)
KNOWN = frozenset(
    (
        *("high_amount", "infant_high_amount", "late_submission", "submitted_before_service"),
        *("invalid_npi", "no_diagnosis", "no_procedure"),
        *_MISSING,
        *("unknown_place_of_service", "diagnosis_code_format", "procedure_code_format"),
        "beyond_timely_filing",
    )
)
"""Ids of the rules that it knows."""


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
    amount, age, npi = Decimal(claim["claim_amount"]), claim["patient_age"], claim["billing_npi"]
    fired = {
        "high_amount": amount > 5_000,
        "infant_high_amount": age is not None and age < 2 and amount > 10_000,
        "late_submission": days is not None and days > 60,
        "submitted_before_service": days is not None and days < 0,
        "invalid_npi": npi is not None and not is_npi(npi),
        "no_diagnosis": not claim["diagnosis_codes"],
        "no_procedure": not claim["procedure_codes"],
    }
    return {rule: _WEIGHTS[rule] for rule, has_fired in fired.items() if has_fired}


def quality_issues(claim: dict[str, Any], days: int | None) -> list[str]:
    """The ids of the quality rules that fire."""
    found = [rule for rule, name in _MISSING.items() if claim[name] is None]
    place = claim["place_of_service"]
    if place is not None and place not in _PLACES:
        found.append("unknown_place_of_service")
    if not all(_DIAGNOSIS.search(code) for code in claim["diagnosis_codes"]):
        found.append("diagnosis_code_format")
    if not all(_PROCEDURE.search(code) for code in claim["procedure_codes"]):
        found.append("procedure_code_format")
    if is_late_for_medicare(claim, days):
        found.append("beyond_timely_filing")
    return found

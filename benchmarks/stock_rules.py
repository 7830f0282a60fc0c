"""What the stock pipeline asks of a claim: the contract and the rules, written out by hand.

The outcomes are those of the product's own contract and rules, and the tests hold both together.
"""

import json
import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

REQUIRED_TEXTS = {"claim_id": 128, "patient_id": 128, "provider_id": 128, "claim_status": 64}
OPTIONAL_TEXTS = ("provider_region", "patient_gender", "place_of_service", "notes")
CODES = ("diagnosis_codes", "procedure_codes")
DATES = ("service_date", "submission_date")
FIELDS = frozenset(
    (
        *REQUIRED_TEXTS,
        *OPTIONAL_TEXTS,
        *CODES,
        *DATES,
        "billing_npi",
        "claim_amount",
        "patient_age",
        "ingest_ts",
        "synthetic_label_is_fraud",
    )
)
PLACES_OF_SERVICE = frozenset(
    "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 31 32 33 34"
    " 41 42 49 50 51 52 53 54 55 56 57 58 60 61 62 65 66 71 72 81 99".split()
)
_DIAGNOSIS = re.compile(r"[A-Z][0-9][0-9AB](\.?[0-9A-Z]{1,4})?")
_PROCEDURE = re.compile(r"[0-9]{4}[0-9A-Z]|[A-Z][0-9]{4}")


class BadClaim(ValueError):
    """A message that is no claim: code, and text without values."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def parse(line: bytes) -> dict[str, Any]:
    """The fields of a message. Raises BadClaim."""
    try:
        fields = json.loads(
            line.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise BadClaim("invalid_utf8", "the message is not UTF-8") from None
    except (json.JSONDecodeError, InvalidOperation):
        raise BadClaim("invalid_json", "the message is not JSON") from None
    except RecursionError:
        raise BadClaim("nesting_too_deep", "the message is nested too deeply") from None
    if not isinstance(fields, dict):
        raise BadClaim("not_an_object", "the message is not an object")
    if b"\\ud" in line:
        try:
            json.dumps(fields, ensure_ascii=False, default=float).encode()
        except UnicodeEncodeError:
            raise BadClaim("lone_surrogate", "half of a surrogate pair") from None
    return fields


def _refuse_constant(_text: str) -> None:
    raise BadClaim("non_finite_number", "a number is not finite")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadClaim("duplicate_key", "a key comes twice")
    return fields


def validate(fields: dict[str, Any]) -> dict[str, Any]:
    """The claim, every field in its one spelling. Raises BadClaim."""
    claim: dict[str, Any] = {}
    for name, longest in REQUIRED_TEXTS.items():
        value = _text(fields.get(name))
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise BadClaim("schema_violation", f"{name}: a text of 1 to {longest} is needed")
        claim[name] = value
    for name in OPTIONAL_TEXTS:
        claim[name] = _optional_text(name, fields.get(name))
    claim["billing_npi"] = _optional_text("billing_npi", fields.get("billing_npi"), 128)
    claim["claim_amount"] = _amount(fields.get("claim_amount"))
    for name in CODES:
        claim[name] = _codes(name, fields.get(name))
    for name in DATES:
        if name not in fields:
            raise BadClaim("schema_violation", f"{name}: required")
        claim[name] = _date(name, fields[name])
    claim["patient_age"] = _integer("patient_age", fields.get("patient_age"), 0, 150)
    label = _integer("synthetic_label_is_fraud", fields.get("synthetic_label_is_fraud"), 0, 1)
    claim["synthetic_label_is_fraud"] = label
    claim["ingest_ts"] = _timestamp(fields.get("ingest_ts"))
    extra = {name: value for name, value in fields.items() if name not in FIELDS}
    claim["additional_fields"] = json.dumps(extra, default=float) if extra else None
    return claim


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _optional_text(name: str, value: Any, longest: int = 1 << 30) -> str | None:
    value = _text(value)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > longest:
        raise BadClaim("schema_violation", f"{name}: a text is needed")
    return value


def _number(name: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise BadClaim("schema_violation", f"{name}: a number is needed")
    try:
        return Decimal(value)
    except InvalidOperation:
        raise BadClaim("schema_violation", f"{name}: a number is needed") from None


def _amount(value: Any) -> Decimal:
    amount = _number("claim_amount", value)
    if not 0 <= amount <= 1_000_000:
        raise BadClaim("schema_violation", "claim_amount: out of range")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -9:
        raise BadClaim("schema_violation", "claim_amount: too many decimals")
    return amount


def _integer(name: str, value: Any, least: int, most: int) -> int | None:
    if value is None or value == "":
        return None
    number = _number(name, value)
    if not least <= number <= most or number != int(number):
        raise BadClaim("schema_violation", f"{name}: an integer {least} to {most} is needed")
    return int(number)


def _codes(name: str, value: Any) -> list[str]:
    if not value and (value is None or value == ""):
        return []
    if isinstance(value, str):
        return [code.strip() for code in value.split(",") if code.strip()]
    if not isinstance(value, list):
        raise BadClaim("schema_violation", f"{name}: an array is needed")
    codes = [_text(code) for code in value]
    if not all(isinstance(code, str) for code in codes):
        raise BadClaim("schema_violation", f"{name}: an array of texts is needed")
    return codes


def _date(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    try:
        if len(value) > 10:
            datetime.fromisoformat(value)
        day = value[:10]
        if day[4] != "-":
            raise ValueError
        date.fromisoformat(day)
    except (TypeError, ValueError):
        raise BadClaim("schema_violation", f"{name}: a date is needed") from None
    return str(day)


def _timestamp(value: Any) -> str | None:
    if value is None or value == "":
        return None
    try:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError
    except (TypeError, ValueError):
        raise BadClaim("schema_violation", "ingest_ts: a date-time is needed") from None
    return str(value)


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

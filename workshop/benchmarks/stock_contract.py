"""What the stock pipeline asks of a message: the contract, written out by hand.

It accepts and rejects what the product's contract does; the tests hold both together.
"""

import json
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
        if not isinstance(value, str) or value[4:5] != "-":
            raise ValueError
        day = value[:10]
        date.fromisoformat(day)
        if len(value) > 10 and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError
    except ValueError:
        raise BadClaim("schema_violation", f"{name}: a date is needed") from None
    return day


def _timestamp(value: Any) -> str | None:
    if value is None or value == "":
        return None
    try:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError
    except (TypeError, ValueError):
        raise BadClaim("schema_violation", "ingest_ts: a date-time is needed") from None
    return str(value)

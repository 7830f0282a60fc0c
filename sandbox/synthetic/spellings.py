"""Spellings that real producers use for the same claim: normalisation must accept every one."""

import codecs
from collections.abc import Callable
from random import Random
from typing import Any

import orjson

Claim = dict[str, Any]

EMPTIED = ("billing_npi", "provider_region", "patient_gender", "place_of_service", "notes")
"""Optional texts that a producer may send as an empty string when it means null."""


def amount_as_string(claim: Claim, rng: Random) -> Claim:
    return claim | {"claim_amount": f"{claim['claim_amount']:.2f}"}


def ids_as_integers(claim: Claim, rng: Random) -> Claim:
    ids = {name: int(claim[name][3:].lstrip("-")) for name in ("patient_id", "provider_id")}
    if claim.get("billing_npi"):
        ids["billing_npi"] = int(claim["billing_npi"])
    return claim | ids


def age_as_float(claim: Claim, rng: Random) -> Claim:
    age = claim.get("patient_age")
    return claim if age is None else claim | {"patient_age": float(age)}


def age_as_string(claim: Claim, rng: Random) -> Claim:
    age = claim.get("patient_age")
    return claim if age is None else claim | {"patient_age": str(age)}


def dates_as_date_times(claim: Claim, rng: Random) -> Claim:
    time = rng.choice(("T00:00:00Z", "T00:00:00.000Z", "T00:00:00+00:00"))
    dates = {name: claim[name] for name in ("service_date", "submission_date")}
    return claim | {name: day + time for name, day in dates.items() if day}


def empty_strings(claim: Claim, rng: Random) -> Claim:
    return claim | dict.fromkeys(rng.sample(EMPTIED, rng.randrange(1, 4)), "")


def codes_null(claim: Claim, rng: Random) -> Claim:
    return claim | {rng.choice(("diagnosis_codes", "procedure_codes")): None}


def codes_comma_separated(claim: Claim, rng: Random) -> Claim:
    name = rng.choice(("diagnosis_codes", "procedure_codes"))
    return claim | {name: ",".join(claim[name])} if claim.get(name) else claim


def unknown_fields(claim: Claim, rng: Random) -> Claim:
    return claim | {
        "clearinghouse": f"CLH{rng.randrange(1000):03d}",
        "attachments": [{"kind": "report", "pages": rng.randrange(1, 5)}],
    }


VARIANTS: dict[str, Callable[[Claim, Random], Claim]] = {
    variant.__name__: variant
    for variant in (
        amount_as_string,
        ids_as_integers,
        age_as_float,
        age_as_string,
        dates_as_date_times,
        empty_strings,
        codes_null,
        codes_comma_separated,
        unknown_fields,
    )
}
"""Each takes a claim in its plain spelling and returns it in another."""

WIRE_VARIANTS: dict[str, Callable[[Claim], bytes]] = {
    "byte_order_mark": lambda claim: codecs.BOM_UTF8 + orjson.dumps(claim),
    "pretty_printed": lambda claim: orjson.dumps(claim, option=orjson.OPT_INDENT_2),
    "escaped": lambda claim: orjson.dumps(claim).replace(b"Synthetic", rb"\u0053ynthetic"),
}
"""The same for the bytes of the message."""

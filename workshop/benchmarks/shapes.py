"""The benchmark's claims in other shapes: what their files hold, and how a job reads them."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

Claim = dict[str, Any]


class Shape(NamedTuple):
    """One shape."""

    write: Callable[[Iterable[Claim]], Iterator[bytes]]
    """A file with these claims, in parts."""
    input_format: str = "JSON"
    claim_map: str | None = None
    """A packaged map."""


def _american(day: Any) -> str | None:
    return f"{day[5:7]}/{day[8:10]}/{day[:4]}" if isinstance(day, str) and day else None


def _codes(claim: Claim, name: str) -> list[str]:
    codes = claim.get(name) or []
    return codes.split(",") if isinstance(codes, str) else list(codes)


def _flat(claims: Iterable[Claim]) -> Iterator[bytes]:
    for claim in claims:
        yield (
            orjson.dumps(
                {
                    "claimId": claim["claim_id"],
                    "memberId": claim["patient_id"],
                    "renderingNpi": claim["provider_id"],
                    "billingNpi": claim.get("billing_npi"),
                    "billedAmount": claim["claim_amount"],
                    "icd10": _codes(claim, "diagnosis_codes"),
                    "charges": [{"cpt": code} for code in _codes(claim, "procedure_codes")],
                    "dateOfService": _american(claim["service_date"]),
                    "received": _american(claim["submission_date"]),
                    "status": "P",
                    "state": claim.get("provider_region"),
                    "sex": "female",
                    "pos": claim.get("place_of_service"),
                }
            )
            + b"\n"
        )


def _fhir(claims: Iterable[Claim]) -> Iterator[bytes]:
    for claim in claims:
        amount = float(claim["claim_amount"])
        procedure = "".join(_codes(claim, "procedure_codes")[:1])
        item = {
            "sequence": 1,
            "productOrService": {"coding": [{"code": procedure}]},
            "servicedDate": claim["service_date"] or "2026-01-01",
            "locationCodeableConcept": {
                "coding": [{"code": claim.get("place_of_service") or "11"}]
            },
            "quantity": {"value": 1},
            "net": {"value": amount, "currency": "USD"},
        }
        yield (
            orjson.dumps(
                {
                    "resourceType": "Claim",
                    "id": claim["claim_id"],
                    "status": "active",
                    "type": {
                        "coding": [{"system": "http://example.org/type", "code": "professional"}]
                    },
                    "use": "claim",
                    "patient": {"reference": f"Patient/{claim['patient_id']}"},
                    "created": claim["submission_date"] or "2026-01-01",
                    "insurer": {"reference": "Organization/2"},
                    "provider": {
                        "identifier": {
                            "system": "http://example.org/id",
                            "value": claim["provider_id"],
                        }
                    },
                    "priority": {"coding": [{"code": "normal"}]},
                    "diagnosis": [
                        {
                            "sequence": place,
                            "diagnosisCodeableConcept": {"coding": [{"code": code}]},
                        }
                        for place, code in enumerate(_codes(claim, "diagnosis_codes"), 1)
                    ],
                    "insurance": [
                        {"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/9"}}
                    ],
                    "item": [item],
                    "total": {"value": amount, "currency": "USD"},
                }
            )
            + b"\n"
        )


_LINES = 4
LINES = f"claims with {_LINES} lines"
"""The name of this shape."""


def _with_lines(claims: Iterable[Claim]) -> Iterator[bytes]:
    for claim in claims:
        codes = _codes(claim, "procedure_codes") or ["99213"]
        cents = round(100 * float(claim["claim_amount"]))
        parts = [cents // _LINES] * (_LINES - 1)
        lines = [
            {
                "line_number": number,
                "procedure_code": codes[number % len(codes)],
                "modifiers": ["25"],
                "units": 1,
                "charge_amount": part / 100,
                "service_date": claim["service_date"],
                "place_of_service": claim.get("place_of_service"),
                "diagnosis_pointers": [1],
            }
            for number, part in enumerate([*parts, cents - sum(parts)], 1)
        ]
        kind = {"claim_type": "professional", "claim_frequency_code": "1"}
        yield orjson.dumps(claim | kind | {"service_lines": lines}) + b"\n"


_COLUMNS = (
    *("claim_id", "patient_id", "provider_id", "billing_npi", "claim_amount", "claim_status"),
    *("diagnosis_codes", "procedure_codes", "service_date", "submission_date", "provider_region"),
    *("patient_age", "patient_gender", "place_of_service", "notes", "ingest_ts"),
)


def _csv(claims: Iterable[Claim]) -> Iterator[bytes]:
    yield (",".join(_COLUMNS) + "\n").encode()
    for claim in claims:
        row = io.StringIO()
        values = (
            ",".join(value) if isinstance(value := claim.get(name), list) else value
            for name in _COLUMNS
        )
        csv.writer(row, lineterminator="\n").writerow(values)
        yield row.getvalue().encode()


def _x12(claims: Iterable[Claim]) -> Iterator[bytes]:
    yield (
        b"ISA*00*          *00*          *ZZ*S              *ZZ*R              *260101*1200*^*"
        b"00501*000000001*0*P*:~\nGS*HC*S*R*20260101*1200*1*X*005010X222A1~\nST*837*1*005010X222A1~\n"
        b"BHT*0019*00*1*20260101*1200*CH~\nNM1*41*2*S*****46*1~\nNM1*40*2*R*****46*2~\n"
        b"HL*1**20*1~\n"
        b"NM1*85*2*CLINIC*****XX*1234567893~\nN4*TOWN*CA*90001~\n"
    )
    for claim in claims:
        amount = f"{float(claim['claim_amount']):.2f}"
        codes = "*".join(
            f"ABK:{code.replace('.', '')}" for code in _codes(claim, "diagnosis_codes")
        )
        line = (_codes(claim, "procedure_codes") or ["99213"])[0]
        day = (claim["service_date"] or "2026-01-01").replace("-", "")[:8]
        yield (
            f"HL*2*1*22*0~\nSBR*P*18~\nNM1*IL*1*DOE*J****MI*{claim['patient_id']}~\n"
            f"DMG*D8*19800229*F~\nNM1*PR*2*PAYER*****PI*P1~\n"
            f"CLM*{claim['claim_id']}*{amount}***11:B:1*Y*A*Y*Y~\nHI*{codes or 'ABK:Z00'}~\n"
            f"NM1*82*1*DOC*A****XX*{claim['provider_id']}~\n"
            f"LX*1~\nSV1*HC:{line}*{amount}*UN*1***1~\nDTP*472*D8*{day}~\n"
        ).encode()
    yield b"SE*1*1~\nGE*1*1~\nIEA*1*000000001~\n"


SHAPES: Mapping[str, Shape] = {
    LINES: Shape(_with_lines),
    "flat JSON with a map": Shape(_flat, claim_map="flat_json_example"),
    "FHIR Claim with a map": Shape(_fhir, claim_map="fhir_r4_claim"),
    "CSV": Shape(_csv, "CSV"),
    "X12 837 with a map": Shape(_x12, "X12", "x12_837"),
}
"""Each by the name of its contestant."""


def write(name: str, source: Path, target: Path) -> None:
    """The claims of a directory in a shape, in another directory."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.ndjson")):
        with path.open("rb") as lines, (target / path.name).open("wb") as file:
            file.writelines(SHAPES[name].write(map(_claim, lines)))


def _claim(line: bytes) -> Claim:
    claim: Claim = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    return claim

"""Generated claims with fraud rings whose patterns are known, among honest providers of all sizes.

The labels are what is planted here: they show whether rules, signals and profiles find such
patterns, and nothing of how often real fraud has them. Seeded: the same seed gives the same data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

Claim = dict[str, Any]

FIRST_DAY = date(2026, 1, 1)
DAYS = 270
RING_STARTS = 90
"""Days after which rings begin: before, their providers bill as all others do."""
PROVIDERS = 1_200
RING_PROVIDERS = 12
"""Of each pattern."""
LARGE_PROVIDERS = 40
"""Honest, and ten times as large as others."""
GUILTY_SHARE = 0.5
"""Of the claims of a ring's provider, those that have its pattern; of `_ALWAYS`, all."""
SPECIALTIES = ("cardiology", "family medicine", "orthopedics", "inpatient", "therapy", "laboratory")
REGIONS = ("CA", "FL", "NY", "TX")
_CODES = 12
"""Procedure codes of a specialty; the first of each three includes the second."""
_MUE = (1, 2, 4)


@dataclass
class Provider:
    """Who bills."""

    provider_id: str
    npi: str
    specialty: int
    region: str
    patients: int
    """In its care."""
    claims: float
    """A day."""
    ring: str | None = None
    is_large: bool = False
    excluded_on: date | None = None


@dataclass
class Generated:
    """Claims in the order of their submission, their labels, and the lists they are judged by."""

    claims: list[Claim]
    labels: dict[str, bool]
    """By provider."""
    large: frozenset[str]
    lists: dict[str, list[str]] = field(default_factory=dict)
    """The lines of each file, in the layout of its publisher, by launch parameter."""


def code(specialty: int, number: int) -> str:
    """A made-up procedure code of five digits."""
    return f"{10_000 * (specialty + 1) + 100 * number:05d}"


def _charge(specialty: int, number: int) -> float:
    return 30.0 * (specialty + 1) * (1 + number % 5)


def _line(day: date, specialty: int, number: int, units: int = 1) -> Claim:
    charge = round(_charge(specialty, number) * units, 2)
    return {
        "procedure_code": code(specialty, number),
        "modifiers": [],
        "units": units,
        "charge_amount": charge,
        "service_date": day.isoformat(),
    }


def _exceed_units(claim: Claim, provider: Provider, rng: Random) -> None:
    line = rng.choice(claim["service_lines"])
    line["units"] = rng.randrange(5, 9)


def _unbundle(claim: Claim, provider: Provider, rng: Random) -> None:
    day, group = date.fromisoformat(claim["service_date"]), 3 * rng.randrange(_CODES // 3)
    claim["service_lines"] = [
        _line(day, provider.specialty, group),
        _line(day, provider.specialty, group + 1),
    ]


def _bill_while_excluded(claim: Claim, provider: Provider, rng: Random) -> None:
    """Nothing of the claim shows it: the provider is on the list."""


def _see_few_patients(claim: Claim, provider: Provider, rng: Random) -> None:
    claim["patient_id"] = f"{provider.provider_id}-P{rng.randrange(4)}"


def _repeat_lines(claim: Claim, provider: Provider, rng: Random) -> None:
    claim["service_lines"] += [dict(claim["service_lines"][0])]


def _overcharge(claim: Claim, provider: Provider, rng: Random) -> None:
    for line in claim["service_lines"]:
        line["charge_amount"] = round(line["charge_amount"] * rng.uniform(4, 6), 2)


def _bill_twice(claim: Claim, provider: Provider, rng: Random) -> None:
    """`_claims` sends the claim again under another id."""
    claim["twice"] = True


RINGS: dict[str, Callable[[Claim, Provider, Random], None]] = {
    "units": _exceed_units,
    "unbundling": _unbundle,
    "excluded": _bill_while_excluded,
    "few patients": _see_few_patients,
    "repeated lines": _repeat_lines,
    "overcharging": _overcharge,
    "billing twice": _bill_twice,
}
"""Each pattern, and what it does to an honest claim."""
_ALWAYS = ("excluded", "few patients")
"""Patterns of a provider rather than of a claim."""
_HONEST_MISTAKES = {
    "units": 0.002,
    "unbundling": 0.003,
    "repeated lines": 0.002,
    "billing twice": 0.003,
}
"""The share of honest claims that have the pattern of a ring."""


def generated(seed: int, scale: float = 1.0) -> Generated:
    """The data of a seed; `scale` multiplies the providers of each kind."""
    rng = Random(seed)
    providers = _providers(rng, scale)
    claims = sorted(
        (claim for provider in providers for claim in _claims(provider, rng)),
        key=lambda claim: (claim["submission_date"], claim["claim_id"]),
    )
    labels = {provider.provider_id: provider.ring is not None for provider in providers}
    large = frozenset(provider.provider_id for provider in providers if provider.is_large)
    return Generated(claims, labels, large, _lists(providers, rng))


def _providers(rng: Random, scale: float) -> list[Provider]:
    large = max(1, round(LARGE_PROVIDERS * scale))
    kinds: list[str | None] = [
        ring for ring in RINGS for _ in range(max(1, round(RING_PROVIDERS * scale)))
    ]
    first_large = len(kinds)
    kinds += [None] * max(large, round(PROVIDERS * scale))
    providers = []
    for number, ring in enumerate(kinds):
        size = rng.lognormvariate(-1.6, 0.6)
        provider = Provider(
            f"PRV{number:05d}",
            _npi(number),
            rng.randrange(len(SPECIALTIES)),
            rng.choice(REGIONS),
            max(10, round(150 * size)),
            size,
            ring,
        )
        if first_large <= number < first_large + large:
            provider.is_large = True
            provider.claims, provider.patients = 10 * size + 1, 10 * provider.patients
        if ring == "excluded":
            provider.excluded_on = FIRST_DAY + timedelta(days=RING_STARTS)
        providers.append(provider)
    rng.shuffle(providers)
    return providers


def _npi(number: int) -> str:
    nine = f"1{number:08d}"
    total = 24
    for place, digit in enumerate(map(int, nine)):
        total += digit if place % 2 else sum(divmod(2 * digit, 10))
    return f"{nine}{-total % 10}"


def _claims(provider: Provider, rng: Random) -> Iterator[Claim]:
    count = max(3, round(provider.claims * DAYS))
    for number in range(count):
        after = rng.randrange(DAYS)
        claim = _honest(provider, number, FIRST_DAY + timedelta(days=after), rng)
        share = 1 if provider.ring in _ALWAYS else GUILTY_SHARE
        guilty = provider.ring and after >= RING_STARTS and rng.random() < share
        if guilty and provider.ring:
            RINGS[provider.ring](claim, provider, rng)
        else:
            for ring, share in _HONEST_MISTAKES.items():
                if rng.random() < share:
                    RINGS[ring](claim, provider, rng)
        claim["synthetic_label_is_fraud"] = int(bool(guilty))
        claim["claim_amount"] = round(
            sum(line["charge_amount"] for line in claim["service_lines"]), 2
        )
        claim["procedure_codes"] = [line["procedure_code"] for line in claim["service_lines"]]
        if claim.pop("twice", False):
            yield {**claim, "claim_id": claim["claim_id"] + "R"}
        yield claim


def _honest(provider: Provider, number: int, day: date, rng: Random) -> Claim:
    specialty = provider.specialty
    # One of each three codes: no honest pair that may not be billed together.
    groups = rng.sample(range(_CODES // 3), rng.choice((1, 1, 2, 3)))
    lines = [_line(day, specialty, 3 * group + rng.randrange(3)) for group in groups]
    factor = rng.lognormvariate(0, 0.35) * (rng.uniform(4, 12) if rng.random() < 0.006 else 1)
    for line in lines:
        line["charge_amount"] = round(line["charge_amount"] * factor, 2)
    stay = (
        min(60, int(rng.lognormvariate(1.4, 0.7))) if SPECIALTIES[specialty] == "inpatient" else 0
    )
    delay = int(60 * rng.random() ** 3) + (70 if rng.random() < 0.03 else 0)
    return {
        "claim_id": f"{provider.provider_id}-{number:06d}",
        "patient_id": f"{provider.provider_id}-P{rng.randrange(provider.patients)}",
        "provider_id": provider.provider_id,
        "billing_npi": provider.npi,
        "claim_type": "institutional" if stay else "professional",
        "provider_specialty": SPECIALTIES[specialty],
        "provider_region": provider.region,
        "claim_status": "SUBMITTED",
        "diagnosis_codes": ["I10"],
        "patient_age": rng.randrange(2, 95),
        "patient_gender": rng.choice("FM"),
        "place_of_service": "21" if stay else "11",
        "service_date": day.isoformat(),
        "service_end_date": (day + timedelta(days=stay)).isoformat(),
        "admission_date": day.isoformat() if stay else None,
        "submission_date": (day + timedelta(days=stay + delay)).isoformat(),
        "service_lines": lines,
    }


LEIE_TITLES = (
    "LASTNAME,FIRSTNAME,MIDNAME,BUSNAME,GENERAL,SPECIALTY,UPIN,NPI,DOB,ADDRESS,CITY,STATE,ZIP,"
    "EXCLTYPE,EXCLDATE,REINDATE,WAIVERDATE,WVRSTATE\n"
)
MUE_TITLES = (
    "HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\n"
)
PTP_TITLES = (
    "Column 1\tColumn 2\t*=in existence prior to 1996\tEffective Date\tDeletion Date *=no data\t"
    "Modifier 0=not allowed 1=allowed 9=not applicable\tPTP Edit Rationale\n"
)


def _lists(providers: Sequence[Provider], rng: Random) -> dict[str, list[str]]:
    excluded, units, pairs = [LEIE_TITLES], [MUE_TITLES], [PTP_TITLES]
    for provider in providers:
        since, until = provider.excluded_on, "00000000"
        if since is None and rng.random() < 0.01:  # reinstated long ago
            since, until = FIRST_DAY - timedelta(days=900), "20250101"
        if since is not None:
            basis = f"1128a1,{since:%Y%m%d},{until},00000000,"
            excluded.append(f"{',' * 7}{provider.npi}{',' * 6}{basis}\n")
    for specialty in range(len(SPECIALTIES)):
        for number in range(_CODES):
            one, limit = code(specialty, number), _MUE[number % 3]
            units.append(f"{one},{limit},3 Date of Service Edit: Clinical,Clinical: Data\n")
            if number % 3 == 0:
                two = code(specialty, number + 1)
                pairs.append(f"{one}\t{two}\t \t20200101\t*\t1\tMisuse of column two code\n")
    return {"excluded_providers": excluded, "mue_table": units, "ptp_edits": pairs}

"""Synthetic claims as claim systems would send them: seeded, endless, nobody's health data.

Some systems send the fields of contract 1.x alone; the others send lines, replacements and voids.

The same seed and the same `now` give the same claims, to the byte once they are serialised.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from math import exp
from random import Random
from typing import Any, TypeVar

from sandbox.synthetic import fraud, rings
from sandbox.synthetic.adjustments import Adjustments
from sandbox.synthetic.billing import CHARGES, COMORBIDITIES, SPECIALTIES
from sandbox.synthetic.details import add_details
from sandbox.synthetic.population import (
    PROVIDERS,
    Patient,
    Provider,
    patients,
    providers,
    repeated,
)
from sandbox.synthetic.spellings import VARIANTS

Claim = dict[str, Any]
_Item = TypeVar("_Item")

DUPLICATE_SHARE = 0.01
"""The same claim sent again, some time later."""
OUTLIER_SHARE = 0.006
"""Honest claims that cost many times the usual."""
DETAILED_SHARE = 0.7
"""Claims in the full shape of contract 2.0; the others have the fields of 1.x alone."""
ADJUSTED_SHARE = 0.06
"""Messages that replace or void an earlier claim of the full shape."""
MAX_AMOUNT = 999_999.99
LATE_SHARE = 0.05
"""Submitted more than 60 days after the service."""
EARLY_SHARE = 0.004
"""Submitted before the service."""
MISSING_SHARES = {
    "billing_npi": 0.04,
    "diagnosis_codes": 0.04,
    "procedure_codes": 0.04,
    "service_date": 0.05,
    "submission_date": 0.04,
    "provider_region": 0.04,
    "patient_age": 0.05,
    "patient_gender": 0.06,
    "place_of_service": 0.04,
    "notes": 0.07,
    "ingest_ts": 0.04,
    "patient_birth_date": 0.05,
    "provider_specialty": 0.04,
}
KEYS_ALWAYS_SENT = frozenset(("service_date", "submission_date"))
"""Null when missing; the key of another field is left out half of the time."""
STATUSES = repeated({"SUBMITTED": 80, "PAID": 13, "DENIED": 5, "PENDING": 2})
NOTES = (
    "Synthetic claim: routine visit",
    "Synthetic claim: follow-up in two weeks",
    "Synthetic claim: referred by primary care",
    "Synthetic claim: prior authorization on file",
    "Synthetic claim: records attached",
)
INGEST_INTERVAL = timedelta(microseconds=50)
KEPT_EARLIER = 200


class _Visits:
    """One specialty: draws what was done, why, where and to whom."""

    def __init__(self, specialty: str, people: dict[str, Sequence[Patient]]) -> None:
        self._visits = tuple(
            (
                tuple(service.procedures.split()),
                tuple(service.extras.split()),
                tuple(service.diagnoses.split()),
                tuple(service.places.split()),
                people[service.patients],
            )
            for service in SPECIALTIES[specialty][1]
            for _ in range(service.weight)
        )

    def draw(self, rng: Random) -> tuple[list[str], list[str], str, Patient]:
        """Procedures, diagnoses, place of service, patient."""
        random = rng.random
        procedures, extras, reasons, places, people = _pick(self._visits, random)
        patient = _pick(people, random)
        performed = list(procedures)
        if extras and random() < 0.4:
            performed.append(_pick(extras, random))
        diagnoses = [_pick(reasons, random)]
        if patient.age >= 40 and random() < 0.35:
            second = _pick(COMORBIDITIES, random)
            if second not in diagnoses:
                diagnoses.append(second)
        return performed, diagnoses, _pick(places, random), patient


class ClaimSystem:
    """Draws one plain, complete claim after another."""

    def __init__(
        self,
        rng: Random,
        now: datetime,
        *,
        detailed: float = DETAILED_SHARE,
        adjusted: float = ADJUSTED_SHARE,
        ring_providers: int = rings.RINGS,
        standing: dict[str, Claim | None] | None = None,
    ) -> None:
        """`detailed` and `adjusted` are shares of the claims; what is not detailed is of 1.x.

        `standing`, if given, gets the truth: which claim of the full shape stands, by the id of
        the first of its chain.
        """
        self._rng = rng
        self._detailed, self._adjusted = detailed, adjusted if detailed else 0.0
        self._providers = providers(rng)
        people = patients(rng)
        self._visits = {specialty: _Visits(specialty, people) for specialty in SPECIALTIES}
        self._rings = rings.rings(rng, ring_providers if detailed else 0)
        self._large = rings.large_providers(rng)
        self._ring_share = len(self._rings) / PROVIDERS
        self._large_share = rings.LARGE * rings.LARGE_SIZE / PROVIDERS
        self._adjustments = Adjustments(rng, now.date(), standing)
        self._causes = tuple(c for c in fraud.CAUSES.values() for _ in range(c.weight))
        self._days = [(now.date() - timedelta(days=ago)).isoformat() for ago in range(300)]
        self._ingested = now
        self._earlier: deque[Claim] = deque(maxlen=KEPT_EARLIER)
        self._count = 0
        self._steady: dict[str, list[Patient]] = {}
        """The patients of the providers that bill the same few."""

    def next(self) -> Claim:
        """The next claim, honest or not, labelled."""
        rng, random = self._rng, self._rng.random
        if self._earlier and random() < DUPLICATE_SHARE:
            return dict(rng.choice(self._earlier))
        if random() < self._adjusted:
            adjusted = self._adjustments.next(self._claim_id())
            if adjusted is not None:
                return dict(adjusted)
        kind = random()
        if kind < self._ring_share:
            claim = self._of_ring(_pick(self._rings, random))
        elif kind < self._ring_share + self._large_share:
            claim = self._ordinary(_pick(self._large, random))
        else:
            claim = self._ordinary(_pick(self._providers, random))
        self._count += 1
        if self._count % 10 == 0:  # rarely, so that a duplicate comes up to 2,000 claims later
            self._earlier.append(dict(claim))
        return dict(claim)

    def _ordinary(self, provider: Provider) -> Claim:
        """A claim of a provider that is honest as a rule."""
        rng, random = self._rng, self._rng.random
        claim, patient = self._honest(provider)
        guilty = random() < provider.fraud_rate
        if guilty:
            claim = _pick(self._causes, random).commit(claim, self._earlier, rng)
            claim["claim_amount"] = min(claim["claim_amount"], MAX_AMOUNT)
        noise = fraud.MISSED_SHARE if guilty else fraud.ACCUSED_SHARE
        claim["synthetic_label_is_fraud"] = int(guilty != (random() < noise))
        if "claim_type" not in claim and random() < self._detailed:
            add_details(claim, provider, patient, rng)
        if "claim_type" in claim:  # perhaps because it bills again what was billed before
            self._adjustments.remember(claim)
        return claim

    def _of_ring(self, ring: rings.Ring) -> Claim:
        """A claim of a provider that lives on a pattern."""
        rng, random = self._rng, self._rng.random
        guilty = random() < rings.GUILTY_SHARE
        claim, patient = self._honest(ring.provider, ring.pattern.is_steady and guilty)
        stay = rng.randint(*ring.pattern.stay) if ring.pattern.stay and guilty else None
        if stay is not None:  # long enough ago to be over
            claim["service_date"] = self._days[stay + 31]
            claim["submission_date"] = self._days[int(30 * random())]
        add_details(claim, ring.provider, patient, rng, stay)
        if guilty:
            ring.pattern.commit(claim, rng)
        claim["synthetic_label_is_fraud"] = int(guilty)
        self._adjustments.remember(claim)
        return claim

    def _honest(self, provider: Provider, is_steady: bool = False) -> tuple[Claim, Patient]:
        rng, random = self._rng, self._rng.random
        procedures, diagnoses, place, patient = self._visits[provider.specialty].draw(rng)
        if is_steady:
            known = self._steady.setdefault(provider.provider_id, [])
            if len(known) < rings.STEADY_PATIENTS:
                known.append(patient)
            patient = _pick(known, random)
        amount = sum([CHARGES[code] for code in procedures]) * exp(rng.gauss(0.0, 0.3))
        if random() < OUTLIER_SHARE:
            amount *= rng.uniform(4, 15)
        submitted, served = self._dates()
        self._ingested += INGEST_INTERVAL
        claim = {
            "claim_id": self._claim_id(),
            "patient_id": patient.patient_id,
            "provider_id": provider.provider_id,
            "billing_npi": provider.billing_npi,
            "claim_amount": min(round(amount, 2), MAX_AMOUNT),
            "diagnosis_codes": diagnoses,
            "procedure_codes": procedures,
            "service_date": served,
            "submission_date": submitted,
            "claim_status": _pick(STATUSES, random),
            "provider_region": provider.region,
            "patient_age": patient.age,
            "patient_gender": patient.gender,
            "place_of_service": place,
            "notes": _pick(NOTES, random),
            "ingest_ts": self._ingested.isoformat(),
            "synthetic_label_is_fraud": 0,
        }
        return claim, patient

    def _claim_id(self) -> str:
        h = f"{self._rng.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def _dates(self) -> tuple[str, str]:
        """Day of submission and day of service."""
        random = self._rng.random
        submitted = int(30 * random())  # days ago
        kind = random()
        if kind < EARLY_SHARE:
            return self._days[submitted + 15], self._days[submitted + int(14 * random()) + 1]
        if kind < EARLY_SHARE + LATE_SHARE:
            return self._days[submitted], self._days[submitted + 61 + int(120 * random())]
        # The cube makes most delays a few days, and the longest 59.
        return self._days[submitted], self._days[submitted + int(60 * random() ** 3)]


def claims(
    seed: int,
    now: datetime,
    variants: float = 0.02,
    detailed: float = DETAILED_SHARE,
    ring_providers: int = rings.RINGS,
) -> Iterator[Claim]:
    """Claims without end, each a new dict in the shape of the contract.

    `now` is an aware time that all dates are relative to; `variants` is the share of claims in
    another spelling (`spellings.VARIANTS`), `detailed` that of claims in the shape of contract
    2.0: with 0 they are those of 1.x, without lines, replacements and rings.
    """
    rng = Random(seed)  # noqa: S311 - reproducible, not secret
    random = rng.random
    system = ClaimSystem(rng, now, detailed=detailed, ring_providers=ring_providers)
    spellings = tuple(VARIANTS.values())
    missing = tuple(MISSING_SHARES.items())
    while True:
        claim = system.next()
        for name, share in missing:
            if random() < share and claim.get(name) is not None and _may_lose(claim, name):
                _lose(claim, name, random)
        if random() < variants:
            claim = rng.choice(spellings)(claim, rng)
        yield claim


@cache
def fields() -> frozenset[str]:
    """The fields of a claim from which none is missing."""
    rng = Random(0)  # noqa: S311 - not secret
    return frozenset(ClaimSystem(rng, datetime(2026, 1, 1), detailed=1).next())


def _may_lose(claim: Claim, name: str) -> bool:
    """Without its day of submission, an adjustment would look as old as what it adjusts."""
    return name != "submission_date" or claim.get("claim_frequency_code", "1") == "1"


def _lose(claim: Claim, name: str, random: Callable[[], float]) -> None:
    if name not in KEYS_ALWAYS_SENT and random() < 0.5:
        del claim[name]
    else:
        claim[name] = [] if name.endswith("_codes") else None


def _pick(items: Sequence[_Item], random: Callable[[], float]) -> _Item:
    """An even choice; several times faster than `Random.choice`."""
    return items[int(random() * len(items))]

"""The people of the synthetic claims: providers and patients, drawn once a run."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from sandbox.synthetic.billing import REGIONS, SPECIALTIES

PROVIDERS = 500
PATIENTS = 20_000
INVALID_NPI_EVERY = 14
"""Every 14th provider, so 7%, bills under an NPI whose check digit is wrong."""
FRAUD_PRONE_EVERY = 25
FRAUD_RATE = 0.018
FRAUD_PRONE_RATE = 0.36
"""Fraudulent share of the claims of an ordinary and of a fraud-prone provider."""

USUAL_SIZE = 12
"""How often an average provider is in the pool."""


class Provider(NamedTuple):
    """Who bills. No names: ids only."""

    provider_id: str
    billing_npi: str
    region: str
    """State, two letters."""
    specialty: str
    fraud_rate: float
    facility_npi: str
    """Of the hospital or clinic where the provider works."""


class Patient(NamedTuple):
    """Who was treated."""

    patient_id: str
    age: int
    gender: str
    """F, M or O."""


GROUPS: Mapping[str, Callable[[Patient], bool]] = {
    "all": lambda patient: True,
    "newborns": lambda patient: patient.age == 0,
    "infants": lambda patient: 1 <= patient.age <= 4,
    "children": lambda patient: 5 <= patient.age <= 11,
    "minors": lambda patient: 1 <= patient.age <= 17,
    "adults": lambda patient: patient.age >= 18,
    "middle-aged": lambda patient: 40 <= patient.age <= 64,
    "seniors": lambda patient: patient.age >= 60,
    "women": lambda patient: patient.gender == "F" and patient.age >= 40,
    "young women": lambda patient: patient.gender == "F" and 18 <= patient.age <= 39,
    "mothers": lambda patient: patient.gender == "F" and 18 <= patient.age <= 45,
}
"""Groups of patients that a service may be for."""


def repeated(weights: Mapping[str, int]) -> tuple[str, ...]:
    """Each key as often as its weight: an even choice of the result is a weighted one."""
    return tuple(key for key, weight in weights.items() for _ in range(weight))


def npi_check_digit(first_nine: str) -> int:
    """The tenth digit of an NPI: Luhn over the prefix 80840 and the first nine digits."""
    total = 24  # what 80840 adds
    for place, digit in enumerate(map(int, first_nine)):
        total += digit if place % 2 else sum(divmod(2 * digit, 10))
    return -total % 10


def npi(rng: Random, *, valid: bool = True) -> str:
    """A made-up NPI of ten digits that starts with 1; with a wrong check digit if not `valid`."""
    first_nine = f"1{rng.randrange(10**8):08d}"
    digit = npi_check_digit(first_nine)
    return f"{first_nine}{digit if valid else (digit + rng.randrange(1, 10)) % 10}"


def providers(rng: Random) -> tuple[Provider, ...]:
    """The pool, in which a busy provider occurs more often: choose from it evenly."""
    regions = repeated(REGIONS)
    specialties = repeated({name: weight for name, (weight, _) in SPECIALTIES.items()})
    pool: list[Provider] = []
    for number in range(1, PROVIDERS + 1):
        prone = number % FRAUD_PRONE_EVERY == 0
        provider = Provider(
            f"PRV{number:05d}",
            npi(rng, valid=number % INVALID_NPI_EVERY != 0),
            rng.choice(regions),
            rng.choice(specialties),
            FRAUD_PRONE_RATE if prone else FRAUD_RATE,
            npi(rng),
        )
        # The few that are prone to fraud are all of usual size: its share is that of every seed.
        size = rng.lognormvariate(2.3, 0.6)
        pool += [provider] * (USUAL_SIZE if prone else max(1, round(size)))
    return tuple(pool)


def patients(rng: Random) -> dict[str, Sequence[Patient]]:
    """The patients of each group of `GROUPS`; older people see a doctor more often."""
    pool = []
    for number in rng.sample(range(10_000, 100_000), PATIENTS):
        age = int(rng.triangular(0, 97, 55)) if rng.random() < 0.85 else rng.randrange(18)
        gender = "O" if rng.random() < 0.01 else rng.choice("FFFFFFMMMMM")
        pool.append(Patient(f"PAT-{number}", age, gender))
    return {group: [p for p in pool if belongs(p)] for group, belongs in GROUPS.items()}

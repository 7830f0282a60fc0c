"""Providers whose whole business is a pattern of fraud, and honest ones that are merely large."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

from sandbox.synthetic.billing import REGIONS, SPECIALTIES
from sandbox.synthetic.details import bill, settle
from sandbox.synthetic.population import Provider, npi, repeated

Claim = dict[str, Any]

RINGS = 10
"""Ring providers, the patterns in turn."""
GUILTY_SHARE = 0.85
"""Of a ring provider's claims: those that follow the pattern. The others are honest."""
FIRST_RING, FIRST_LARGE = 900, 950
"""Numbers of their ids, beyond those of ordinary providers."""
LARGE = 3
LARGE_SIZE = 12
"""Honest large providers, and how many times the claims of an average one they have."""
STEADY_PATIENTS = 6
"""Patients of a provider that bills the same few again and again."""


def inflate(claim: Claim, rng: Random) -> None:
    """Charges several times what peers charge."""
    claim["claim_amount"] = min(round(claim["claim_amount"] * rng.uniform(4, 9), 2), 999_999.99)
    bill(claim, rng)


def repeat_lines(claim: Claim, rng: Random) -> None:
    """Bills the same line of the same day again."""
    first = claim["service_lines"][0]
    copies = [dict(first) for _ in range(rng.randint(1, 3))]
    lines = [*claim["service_lines"], *copies]
    for number, line in enumerate(lines, 1):
        line["line_number"] = number
    claim["service_lines"] = lines
    claim["claim_amount"] = sum(round(line["charge_amount"] * 100) for line in lines) / 100
    settle(claim, 0.6)


def inflate_units(claim: Claim, rng: Random) -> None:
    """Bills more units of a service than a day has."""
    line = claim["service_lines"][0]
    line["units"] = rng.randint(12, 60)
    cents = round(line["charge_amount"] * 100) * rng.randint(2, 4)
    line["charge_amount"] = cents / 100
    lines = claim["service_lines"]
    claim["claim_amount"] = sum(round(line["charge_amount"] * 100) for line in lines) / 100
    settle(claim, 0.6)


def leave(claim: Claim, rng: Random) -> None:
    """What makes the fraud is not in the claim itself: its stay, or whose it is."""


class Pattern(NamedTuple):
    """One kind of ring."""

    commit: Callable[[Claim, Random], None]
    specialty: str | None = None
    """Of its providers; None for any."""
    stay: tuple[int, int] | None = None
    """Days of stay, from and to."""
    is_steady: bool = False
    """Whether it bills a few patients again and again."""


PATTERNS: Mapping[str, Pattern] = {
    "high_amounts": Pattern(inflate),
    "long_stays": Pattern(leave, "hospital medicine", (25, 59)),
    "duplicate_lines": Pattern(repeat_lines),
    "many_claims_per_patient": Pattern(leave, is_steady=True),
    "units_beyond_limits": Pattern(inflate_units, "physical therapy"),
}


class Ring(NamedTuple):
    """A ring provider and its pattern."""

    provider: Provider
    pattern: Pattern


def _provider(rng: Random, number: int, specialty: str | None = None) -> Provider:
    any_specialty = repeated({name: weight for name, (weight, _) in SPECIALTIES.items()})
    return Provider(
        f"PRV{number:05d}",
        npi(rng),
        rng.choice(repeated(REGIONS)),
        specialty or rng.choice(any_specialty),
        0.0,
        npi(rng),
    )


def rings(rng: Random, count: int) -> tuple[Ring, ...]:
    """The ring providers."""
    patterns = tuple(PATTERNS.values())
    some = (patterns[number % len(patterns)] for number in range(count))
    return tuple(
        Ring(_provider(rng, FIRST_RING + number, pattern.specialty), pattern)
        for number, pattern in enumerate(some)
    )


def large_providers(rng: Random) -> tuple[Provider, ...]:
    """Honest providers with many claims: their size alone must not look like fraud."""
    usual = ("family medicine", "clinical laboratory", "emergency medicine")
    return tuple(
        _provider(rng, FIRST_LARGE + number, usual[number % len(usual)]) for number in range(LARGE)
    )

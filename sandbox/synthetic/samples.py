"""Messages as claim systems publish them: synthetic claims, and some bad on purpose."""

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from itertools import count as count_from
from itertools import cycle
from random import Random
from typing import Any, Literal, NamedTuple

import orjson

from pipeline.claims.contract import Contract
from sandbox.synthetic import rings, synthetic
from sandbox.synthetic.malformed import kinds
from sandbox.synthetic.spellings import WIRE_VARIANTS
from sandbox.synthetic.synthetic import Claim, claims

WIRE_VARIANTS_SHARE = 0.1
"""Part of `variants` that is a variant of the bytes, not of the claim."""


class Sample(NamedTuple):
    """One generated message, and what the pipeline must make of it."""

    data: bytes
    expected: Literal["accepted", "rejected"]
    kind: str | None
    """A key of `malformed.kinds` or of `WIRE_VARIANTS`; None for an ordinary claim."""


def messages(
    count: int | None,
    bad_share: float,
    seed: int,
    now: datetime,
    variants: float = 0.02,
    detailed: float = synthetic.DETAILED_SHARE,
    ring_providers: int = rings.RINGS,
    contract: Contract | None = None,
) -> Iterator[Sample]:
    """Messages as a claim system would publish them; endless without a `count`.

    Exactly `bad_share` of them are malformed, evenly spread, every kind in turn. `variants` is
    the share of good claims in an unusual spelling, `detailed` that of claims with lines. Equal
    arguments give equal bytes.
    """
    contract = contract or Contract.default()
    rng = Random(f"messages {seed}")  # noqa: S311 - reproducible, not secret
    plain = claims(seed, now, variants * (1 - WIRE_VARIANTS_SHARE), detailed, ring_providers)
    source = _with_examples(plain, contract, rng)
    wire_share, wire = variants * WIRE_VARIANTS_SHARE, tuple(WIRE_VARIANTS.items())
    bad = cycle(kinds(contract).items())
    share = Fraction(bad_share).limit_denominator(1_000_000)
    owed, whole = 0, share.denominator
    for _ in count_from() if count is None else range(count):
        claim = next(source)
        owed += share.numerator
        if owed >= whole:
            owed -= whole
            name, malformed = next(bad)
            yield Sample(malformed.make(claim, rng), "rejected", name)
        elif rng.random() < wire_share:
            name, write = rng.choice(wire)
            yield Sample(write(claim), "accepted", name)
        else:
            yield Sample(orjson.dumps(claim), "accepted", None)


def _with_examples(source: Iterator[Claim], contract: Contract, rng: Random) -> Iterator[Claim]:
    """Fields that only the contract knows, filled from their `examples` in the schema."""
    examples: dict[str, list[Any]] = {
        name: schema["examples"]
        for name, schema in contract.properties.items()
        if schema.get("examples") and name not in synthetic.fields()
    }
    if not examples:
        return source
    return (claim | {name: rng.choice(e) for name, e in examples.items()} for claim in source)

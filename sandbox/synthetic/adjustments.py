"""Replacements and voids of synthetic claims, and which claims stand after them."""

from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.synthetic.details import bill

Claim = dict[str, Any]

VOID_SHARE = 0.2
"""Of the adjustments: those that take a claim back. The others replace it."""
SAME_ID_SHARE = 0.25
"""Of the replacements: those under the id of the claim that they replace."""
TO_PREVIOUS_SHARE = 0.5
"""Of the others: those that name the version before, not the first."""
KEPT = 500
"""Chains that may still be adjusted."""


class Adjustments:
    """Adjusts claims that were sent before."""

    def __init__(
        self, rng: Random, today: date, standing: dict[str, Claim | None] | None = None
    ) -> None:
        """`standing`, if given, gets the claim that stands by the id of the first of its chain,
        None once it is void. It grows with the claims; nothing else does."""
        self._rng = rng
        self._today = today
        self._open: list[tuple[str, Claim]] = []
        """The id of the first of each chain, and its claim that stands."""
        self._standing = standing

    def remember(self, claim: Claim) -> None:
        """A new claim of the full shape, which may be adjusted later."""
        self._stands(claim["claim_id"], claim)
        self._open.append((claim["claim_id"], claim))
        if len(self._open) > KEPT:
            self._open.pop(int(self._rng.random() * KEPT))

    def next(self, new_id: str) -> Claim | None:
        """A replacement or a void of some claim; None if there is none to adjust."""
        if not self._open:
            return None
        rng = self._rng
        place = int(rng.random() * len(self._open))
        first, before = self._open[place]
        claim = before | {"original_claim_id": first, "submission_date": self._later(before)}
        if rng.random() < VOID_SHARE:
            self._open.pop(place)
            claim |= {"claim_id": new_id, "claim_frequency_code": "8"}
            if rng.random() < TO_PREVIOUS_SHARE:
                claim["original_claim_id"] = before["claim_id"]
            self._stands(first, None)
            return claim
        claim["claim_frequency_code"] = "7"
        if rng.random() >= SAME_ID_SHARE:
            claim["claim_id"] = new_id
            if rng.random() < TO_PREVIOUS_SHARE:
                claim["original_claim_id"] = before["claim_id"]
        else:
            claim["original_claim_id"] = before["claim_id"]
        claim["claim_amount"] = max(0.01, round(claim["claim_amount"] * rng.uniform(0.5, 1.1), 2))
        bill(claim, rng)
        self._open[place] = first, claim
        self._stands(first, claim)
        return claim

    def _stands(self, first: str, claim: Claim | None) -> None:
        if self._standing is not None:
            self._standing[first] = claim

    def _later(self, claim: Claim) -> str:
        submitted = date.fromisoformat(claim["submission_date"])
        return min(self._today, submitted + timedelta(days=1 + self._rng.randrange(6))).isoformat()

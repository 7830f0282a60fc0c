"""A claim's amount among those of its kind: percentiles that BigQuery computes.

The file is the result of `sql/claim_percentiles.sql`: a row for each claim type, specialty and
region with enough providers, one for each type alone, and one for all claims.
"""

from bisect import bisect_right
from collections.abc import Iterable
from decimal import Decimal
from math import isfinite

from pipeline.claims.signals.published_table import InvalidReference, rows
from pipeline.claims.signals.signal import Signal

COLUMNS = ("claim_type", "provider_specialty", "provider_region", "percentiles")


class ClaimPercentiles:
    """The amounts at the percentiles of each group of claims."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._groups: dict[tuple[str, str, str], tuple[float, ...]] = {}
        titles = {name: name for name in ("percentiles", *COLUMNS[:3])}
        for number, cells in rows(lines, titles, is_ours=True):
            percentiles, *group = cells
            try:
                amounts = tuple(map(float, percentiles.split()))
            except ValueError:
                amounts = ()
            if (
                len(amounts) < 2
                or not all(map(isfinite, amounts))
                or list(amounts) != sorted(amounts)
            ):
                fault = "the percentiles are not numbers in ascending order"
                raise InvalidReference(f"row {number}: {fault}")
            self._groups[group[0], group[1], group[2]] = amounts

    @property
    def size(self) -> int:
        return len(self._groups)

    def amounts(self, claim_type: str, specialty: str, region: str) -> tuple[float, ...] | None:
        """The amounts of the peers, else of the claim type, else of all claims."""
        groups = self._groups
        return (
            groups.get((claim_type, specialty, region))
            or groups.get((claim_type, "", ""))
            or groups.get(("", "", ""))
        )


def amount_percentile(
    table: ClaimPercentiles,
    amount: float | Decimal | None,
    claim_type: str | None,
    specialty: str | None,
    region: str | None,
) -> float | None:
    """The share of claims of its kind that the claim's amount exceeds, 0 to 1.

    None without an amount, or where not even all claims are in the table.
    """
    amounts = table.amounts(claim_type or "", specialty or "", region or "")
    if amounts is None or amount is None:
        return None
    # Of 101 amounts, the first is the least of all and the last the largest.
    return max(0, bisect_right(amounts, amount) - 1) / (len(amounts) - 1)


SIGNALS = {
    "amount_percentile": Signal(
        amount_percentile,
        ("claim_amount", "claim_type", "provider_specialty", "provider_region"),
        "claim_percentiles",
    )
}

"""The times of a claim that a query may go by, and whom it compares a provider with."""

from collections.abc import Collection

PROCESSING = "processing_time"
TIMES = {
    "service_date": "TIMESTAMP(service_date)",
    "submission_date": "TIMESTAMP(submission_date)",
    PROCESSING: "processing_timestamp",
}
"""Each time of a claim, as SQL."""


def placeholders(
    columns: Collection[str], by: str = PROCESSING, axis: str = PROCESSING
) -> dict[str, str]:
    """What stands for times and peers in the queries of `sql/report/`.

    Args:
        columns: those of the claims table; without a specialty all providers are peers.
        by: the time of the range, a key of `TIMES`.
        axis: the time of the plots, likewise.
    """
    return {
        "CLAIM_TIME": TIMES[by],
        "AXIS": TIMES[axis],
        "HAS_ERRORS": "TRUE" if axis == PROCESSING else "FALSE",
        "PEERS": "COALESCE(provider_specialty, '')" if "provider_specialty" in columns else "''",
    }

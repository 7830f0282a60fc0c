"""How long a patient stayed."""

from datetime import date
from functools import lru_cache

from pipeline.claims.signals.signal import Signal


@lru_cache(65_536)
def length_of_stay(
    admission_date: str | None, service_date: str | None, service_end_date: str | None
) -> int | None:
    """Days from admission, else from the first day of service, to the last; None without both.

    Negative where the dates are reversed: that is a quality issue, and no rule's long stay.
    """
    start = admission_date or service_date
    if start is None or service_end_date is None:
        return None
    return (date.fromisoformat(service_end_date) - date.fromisoformat(start)).days


SIGNALS = {
    "length_of_stay": Signal(length_of_stay, ("admission_date", "service_date", "service_end_date"))
}

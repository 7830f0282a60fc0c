"""Signals of the dates, the length of stay and the NPI of a claim."""

from datetime import date
from functools import lru_cache

from pipeline.claims.memory import Memory
from pipeline.claims.signals.signal import Signal

_REMEMBERED = 65_536
"""Dates in pairs, and NPIs, of which a signal is kept."""
_NPI_DIGITS = 10
_NPI_CONSTANT = 24
"""Luhn sum of the prefix 80840 that makes an NPI a card issuer number (CMS, 45 CFR 162.406)."""
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


@lru_cache(_REMEMBERED)
def days_to_submission(service_date: str | None, submission_date: str | None) -> int | None:
    """Days from service to submission: negative when submitted before; None without a date."""
    if service_date is None or submission_date is None:
        return None
    return (date.fromisoformat(submission_date) - date.fromisoformat(service_date)).days


def within_timely_filing(
    days_to_submission: int | None, service_date: str | None, submission_date: str | None
) -> bool | None:
    """Whether the claim came within one calendar year of the service, as Medicare asks.

    None without both dates. The year ends on the same day of the next year (42 CFR 424.44); for
    a service on 29 February, on 28 February.
    """
    if service_date is None or submission_date is None or days_to_submission is None:
        return None
    if days_to_submission <= 365:
        return True
    last_day = "-02-28" if service_date[4:] == "-02-29" else service_date[4:]
    return (int(submission_date[:4]), submission_date[4:]) <= (int(service_date[:4]) + 1, last_day)


@lru_cache(_REMEMBERED)
def length_of_stay(
    admission_date: str | None, service_date: str | None, service_end_date: str | None
) -> int | None:
    """Days from admission, else from the first day of service, to the last; None without both.

    Negative where the dates are reversed: that is a quality issue, and no rule's long stay.
    """
    return days_to_submission(admission_date or service_date, service_end_date)


def npi_check_digit_ok(billing_npi: str | None) -> bool | None:
    """Whether the billing NPI is ten digits, begins with 1 or 2, and passes its Luhn check.

    None without an NPI.
    """
    if billing_npi is None:
        return None
    if len(billing_npi) != _NPI_DIGITS or not (billing_npi.isascii() and billing_npi.isdigit()):
        return False
    if billing_npi[0] not in "12":
        return False
    digits = [int(digit) for digit in billing_npi]
    total = _NPI_CONSTANT + sum(digits[1::2]) + sum(_LUHN_DOUBLED[d] for d in digits[::2])
    return total % 10 == 0


_npi_check_digit_ok = Memory(
    npi_check_digit_ok, _REMEMBERED, lambda npi, _: npi is None or len(npi) <= _NPI_DIGITS
).__getitem__

SIGNALS = {
    "days_to_submission": Signal(days_to_submission, ("service_date", "submission_date")),
    "within_timely_filing": Signal(
        within_timely_filing, ("days_to_submission", "service_date", "submission_date")
    ),
    "npi_check_digit_ok": Signal(_npi_check_digit_ok, ("billing_npi",)),
    "length_of_stay": Signal(
        length_of_stay, ("admission_date", "service_date", "service_end_date")
    ),
}

"""Exact numbers: from decimal text to doubles where they keep every digit, and on to NUMERIC."""

from collections.abc import Iterator
from decimal import Decimal

SCALE = 9
"""Decimals that a NUMERIC column holds."""
_LIMIT = Decimal(10) ** 29
"""A NUMERIC column holds numbers below this."""
_CENTS_LIMIT = 1_000_000.0
"""Below this cents have few enough digits for a double."""


def exact_number(text: str) -> float | Decimal:
    """A decimal number as a double, if that keeps every digit, else as a `Decimal`."""
    number, exact = float(text), Decimal(text)
    return number if Decimal(repr(number)) == exact else exact


def fits_numeric(value: float | int | Decimal) -> bool:
    """Whether a NUMERIC column holds a number to the last digit."""
    if type(value) is float:
        if -_CENTS_LIMIT < value < _CENTS_LIMIT:
            cents = value * 100  # rounded: 39.999999999999997 becomes 40 here, and 0.4 below
            if cents.is_integer() and cents / 100 == value:
                return True  # dollars and cents, as most are
        text = repr(value)
        if "." in text[-1 - SCALE :] and "e" not in text:
            return True  # below 10^16
    return not any(numeric_faults(value))


def numeric_faults(value: float | int | Decimal) -> Iterator[tuple[str, str]]:
    """What a NUMERIC column cannot hold of a number: rule and text."""
    # The shortest text of a double is the text that it was read from.
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    # Neither arithmetic nor as_tuple(): the one rounds, the other takes its time over megabytes.
    digits, _, exponent = str(exact).partition("E")
    if len(digits.partition(".")[2].rstrip("0")) - int(exponent or 0) > SCALE:
        yield "scale", f"more than {SCALE} decimals"
    elif exact.copy_abs() >= _LIMIT:
        yield "precision", "more than 29 digits before the decimal point"


def decimal_text(value: float | int | Decimal | None) -> str | None:
    """A number as plain decimal text, to the last digit; None stays None."""
    if value is None:
        return None
    text = str(value)
    return format(Decimal(text), "f") if "e" in text or "E" in text else text

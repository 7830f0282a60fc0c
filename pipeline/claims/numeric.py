"""Exact numbers: from decimal text to doubles where they keep every digit, and on to NUMERIC."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

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


def fit_numeric(values: Iterable[Any]) -> list[bool]:
    """Of each value, whether it is no number that a NUMERIC column could not hold to the digit."""
    return [
        # Dollars and cents, as most are; 39.999999999999997 becomes 40 times 100, and 0.4 again.
        (
            type(value) is float
            and -_CENTS_LIMIT < value < _CENTS_LIMIT
            and (cents := value * 100).is_integer()
            and cents / 100 == value
        )
        or _fits(value)
        for value in values
    ]


def _fits(value: Any) -> bool:
    if type(value) is float:
        text = repr(value)
        if "." in text[-1 - SCALE :] and "e" not in text:
            return True  # below 10^16
    is_number = isinstance(value, float | int | Decimal) and not isinstance(value, bool)
    return not is_number or not any(numeric_faults(value))


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

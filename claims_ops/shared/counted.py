"""Numbers of things in words, and exact ones in digits."""

from decimal import Decimal


def counted(number: int, noun: str) -> str:
    """`1 message`, `2,000 messages`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def in_days(days: float) -> str:
    """`1 day`, `7 days`, `0.5 days`."""
    text = f"{round(days, 3):g}"
    return "1 day" if text == "1" else f"{text} days"


def digits_of(number: Decimal, form: str = "f") -> str:
    """Every digit of a number, without zeros at the end of its fraction; `,f` for people.

    `normalize` would round to 28 digits, and a NUMERIC has up to 38.
    """
    text = format(number, form)
    return text.rstrip("0").rstrip(".") if "." in text else text

"""Numbers of things in words."""


def counted(number: int, noun: str) -> str:
    """`1 message`, `2,000 messages`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def in_days(days: float) -> str:
    """`1 day`, `7 days`, `0.5 days`."""
    text = f"{round(days, 3):g}"
    return "1 day" if text == "1" else f"{text} days"

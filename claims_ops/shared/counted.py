"""Numbers of things in words."""


def counted(number: int, noun: str) -> str:
    """`1 message`, `2,000 messages`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"

"""Text for CSV files, which people open in spreadsheets."""

from typing import Final

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def inert(text: str) -> str:
    """A text that no spreadsheet runs: behind an apostrophe where it would."""
    return f"'{text}" if text.startswith(_FORMULAS) else text

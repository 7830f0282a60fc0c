"""Text of tables and files, on its way to a terminal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 120


def console() -> "Console":
    """stdout, wide enough for the tables where it is not a terminal."""
    from rich.console import Console

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


def printable(text: str) -> str:
    """The text with what a terminal would obey, or not show, as escapes: `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

"""Text of tables and files, on its way to a terminal."""


def printable(text: str) -> str:
    """The text with what a terminal would obey, or not show, as escapes: `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

"""The part of a document that `claims sync` writes: the lines between two comments."""

from collections.abc import Iterable

_BEGIN = "<!-- written by `claims sync` from "
_END = "<!-- end of what `claims sync` writes -->"


class MarkersMissing(ValueError):
    """The text has no place for the block."""


def with_block(text: str, source: str, lines: Iterable[str]) -> str:
    """The text with these lines, made from the file `source`, between its markers.

    Raises:
        MarkersMissing: they are not there, each once and in order.
    """
    opening = f"{_BEGIN}{source} -->"
    before, start, rest = text.partition(opening)
    block, end, after = rest.partition(_END)
    if not (start and end) or _BEGIN in block or opening in after:
        raise MarkersMissing(
            f"must contain {opening} and {_END}, each exactly once and on its own line"
        )
    return "\n".join((before + start, *lines, end + after))

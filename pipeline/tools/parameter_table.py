"""The table of launch parameters in the README."""

from collections.abc import Iterator

from pipeline import options
from pipeline.parameter import Parameter

_START = "<!-- written by `claims sync` from pipeline/options.py -->"
_END = "<!-- end of what `claims sync` writes -->"


class MarkersMissing(ValueError):
    """The text has no place for the table."""


def with_table(text: str) -> str:
    """The text with the table anew between its markers.

    Raises:
        MarkersMissing: they are not there, each once and in order.
    """
    before, start, rest = text.partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end) or _START in after or _END in after:
        raise MarkersMissing(f"needs {_START} and {_END}, each once and on a line of its own")
    return "\n".join((before + start, *_table(), end + after))


def _table() -> Iterator[str]:
    yield "| parameter | what it is | default |"
    yield "|---|---|---|"
    section = None
    for parameter in options.PARAMETERS:
        if parameter.hidden:
            continue
        if parameter.group != section:
            section = parameter.group
            yield f"| **{section}** | | |"
        yield f"| `{parameter.name}` | {_meaning(parameter)} | {_default(parameter)} |"


def _meaning(parameter: Parameter) -> str:
    text = parameter.text
    if parameter.example:
        text = text.removesuffix(parameter.example) + f"`{parameter.example}`"
    return text.replace("|", r"\|")


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "*required*"
    return f"`{parameter.default_text}`" if parameter.default_text else ""

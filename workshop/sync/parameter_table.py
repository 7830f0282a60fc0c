"""The table of launch parameters in docs/reference/parameters.md."""

from collections.abc import Iterator

from pipeline.launch import options
from pipeline.launch.parameter import Parameter


def rows() -> Iterator[str]:
    """Its lines, in Markdown."""
    yield "| parameter | description | default |"
    yield "|---|---|---|"
    section = None
    for parameter in options.PARAMETERS:
        if parameter.hidden:
            continue
        if parameter.section != section:
            section = parameter.section
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

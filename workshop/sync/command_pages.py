"""The help of every `claims` command, as sections of docs/reference/commands.md."""

import inspect
from collections.abc import Iterator

import click

from claims_ops.main import claims


def rows() -> Iterator[str]:
    """Their lines, in Markdown: a table of the commands, then a section for each."""
    # With its settings: a command caches the names of its `--help` option.
    root = click.Context(claims, info_name="claims", **claims.context_settings)
    found = list(_every(root))
    yield from ("| command | what it does |", "|---|---|")
    for context in found:
        path = context.command_path
        anchor = path.replace(" ", "-")
        yield f"| [`{path}`](#{anchor}) | {_text(context).partition(chr(10))[0]} |"
    for context in found:
        yield from _section(context)
    yield ""


def _every(group: click.Context) -> Iterator[click.Context]:
    """A context for each command below a group, in the order of its help."""
    command = group.command
    assert isinstance(command, click.Group)
    for name in command.list_commands(group):
        below = command.get_command(group, name)
        assert below is not None
        context = click.Context(below, info_name=name, parent=group)
        yield context
        if isinstance(below, click.Group):
            yield from _every(context)


def _text(context: click.Context) -> str:
    return inspect.cleandoc(context.command.help or "")


def _section(context: click.Context) -> Iterator[str]:
    command = context.command
    yield from ("", f"## {context.command_path}", "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"{context.command_path} {usage}", "```", "")
    # In a help text, \b begins a paragraph that click does not wrap: here, the examples.
    prose, *blocks = _text(context).split("\n\b\n")
    yield prose.strip()
    for block in blocks:
        heading, _, lines = block.partition("\n")
        block_lines, _, after = lines.partition("\n\n")
        yield from ("", heading, "")
        yield from (f"    {line.removeprefix('  ')}" for line in block_lines.splitlines())
        if after.strip():
            yield from ("", after.strip())
    yield from ("", "| option | what it does |", "|---|---|")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            names, text = (" ".join(each.split()).replace("|", r"\|") for each in record)
            yield f"| `{names}` | {text} |"

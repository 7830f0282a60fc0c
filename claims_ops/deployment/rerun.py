"""A command as it was called, to be called once more."""

import shlex
from collections.abc import Container, Iterator

import click
from click.core import ParameterSource


def command(ctx: click.Context, from_step: str) -> str:
    """The command of `ctx` with all that was said to it, but with `--from` this step."""
    said = words(ctx, [option.name or "" for option in ctx.command.params])
    rest = ("--", *ctx.params["options"]) if ctx.params["options"] else ()
    return shlex.join(["claims", "deploy", *said, f"--from={from_step}", *rest])


def words(ctx: click.Context, names: Container[str]) -> list[str]:
    """What was said on the command line of the options of these names."""
    options = (option for option in ctx.command.params if option.name in names)
    return [word for option in options for word in _words(ctx, option)]


def _words(ctx: click.Context, option: click.Parameter) -> Iterator[str]:
    name = option.name or ""
    if not isinstance(option, click.Option) or name == "first":
        return
    if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
        return
    value = ctx.params[name]
    if option.is_flag:
        yield option.opts[0]
        return
    for each in value if option.multiple else (value,):
        yield f"{option.opts[0]}={'='.join(each) if isinstance(each, tuple) else each}"

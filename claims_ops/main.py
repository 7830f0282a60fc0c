"""The `claims` command: one subcommand a package, imported only when it is called.

Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted, 141 broken pipe.
"""

import importlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from io import TextIOWrapper
from typing import Any

import click
from click.shell_completion import CompletionItem

from claims_ops.shared.terminal import printable, without_secrets
from pipeline import loopback
from pipeline.launch.nearest import meant

COMMANDS: dict[str, EntryPoint] = {
    entry.name: entry for entry in sorted(entry_points(group="claims.commands"))
}
"""Commands by name: those of the packages that are installed, declared in entry_points.txt."""


def summary(name: str) -> str:
    """The first line of a command's help: what its package says of itself. Imports no more."""
    package = COMMANDS[name].module.rpartition(".")[0]
    return (importlib.import_module(package).__doc__ or "").partition("\n")[0]


EPILOG = """\b
For Tab completion, add the line for your shell to ~/.bashrc or ~/.zshrc:
  eval "$(_CLAIMS_COMPLETE=bash_source claims)"
  eval "$(_CLAIMS_COMPLETE=zsh_source claims)"

\b
Colours and progress bars appear only on terminals; NO_COLOR=1 turns colours off.
Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted, 141 broken pipe.
"""

INTERRUPTED = 130
NOBODY_READS = 141


@contextmanager
def _ended_by_reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # which click would make an ordinary failure
        _silence_stdout()
        raise click.exceptions.Exit(NOBODY_READS) from None


class _LazyGroup(click.Group):
    """A group whose commands are those of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = COMMANDS[cmd_name].load()
        return command

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        with _ended_by_reader():  # --version and --help
            return super().make_context(*given, **named)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None:
            hint = meant(args[0], COMMANDS) or f"; the commands are {', '.join(COMMANDS)}."
            ctx.fail(f"unknown command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _ended_by_reader():
            return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=summary(name))
            for name in COMMANDS
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in COMMANDS])


def _print_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    try:
        click.echo(f"claims {version('claims-pipeline')}")
    except PackageNotFoundError:
        raise click.ClickException("the package claims-pipeline is not installed") from None
    ctx.exit()


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def claims(ctx: click.Context) -> None:
    """Deploy, check, query and try out the healthcare claims pipeline.

    \b
    Examples:
      claims demo
      claims doctor --project my-project
      claims generate --help
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own) and return the exit code.

    What goes wrong is said in one line on stderr.
    """
    _open_streams()
    loopback.bypass_proxies()
    # Else google-auth looks for a metadata server for many seconds.
    os.environ.setdefault("GCE_METADATA_TIMEOUT", "1")
    os.environ.setdefault("GCE_METADATA_DETECT_RETRIES", "1")
    try:
        result = claims.main(
            arguments,
            prog_name="claims",
            standalone_mode=False,
            color=False if os.environ.get("NO_COLOR") else None,  # None: on a terminal only
        )
        sys.stdout.flush()
    except click.ClickException as error:
        return _fail(f"{error.format_message()}{_hint(error)}", error.exit_code)
    except click.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return NOBODY_READS
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", 1)
    return result if isinstance(result, int) else 0


def _open_streams() -> None:
    """Standard streams that a command can rely on, whatever the shell has closed (`>&-`).

    A closed stdout is one that nobody reads. No character of ours ends a command where the encoding
    of stdout lacks it.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)
    if sys.stdout is None:
        reader, writer = os.pipe()
        os.close(reader)
        sys.stdout = open(writer, "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _hint(error: click.ClickException) -> str:
    """For a word too many, or one that is no choice: the option or choice probably meant."""
    if wrong := re.search(r"'([^']+)' is not one of (.+)\.$", error.format_message()):
        return meant(wrong[1], re.findall(r"'([^']+)'", wrong[2]))
    extra = re.search(r"unexpected extra arguments? \((\S+?)[ )]", error.format_message())
    if not (extra and isinstance(error, click.UsageError) and error.ctx):
        return ""
    options = [word for option in error.ctx.command.params for word in option.opts]
    words = [word.lstrip("-") for word in options]
    near = meant(extra[1].partition("=")[0], words, "--")
    return near or "; options start with -- (see --help)"


def _silence_stdout() -> None:
    """Python flushes stdout once more at its end, which must not fail again."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _fail(message: str, exit_code: int) -> int:
    click.echo(f"claims: {printable(' '.join(without_secrets(message).split()))}", err=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())

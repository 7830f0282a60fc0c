"""The `claims` command as a whole: its table of commands, its help, its errors, its exit codes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from claims_ops import main as cli
from claims_ops.main import COMMANDS, claims, main, summary


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_where_its_entry_point_says(name: str) -> None:
    command = claims.get_command(click.Context(claims), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=100) == summary(name)
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys; from claims_ops.main import main; code = main(['--help']);"
        "heavy = {'orjson', 'rich', 'grpc', 'google.cloud.pubsub_v1', 'apache_beam'};"
        "assert not heavy & set(sys.modules); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


def every(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, each with what one types."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every(below, f"{path} {name}")


ALL = dict(every(claims, "claims"))


@pytest.mark.parametrize("path", ALL)
def test_help_has_an_example(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path.split()[1:], "--help"]) == 0
    text = capsys.readouterr().out
    _, heading, examples = text.partition("\n  Examples:\n")
    assert heading, f"{path} --help has no examples"
    first = next(iter(examples.splitlines()))
    assert re.match(rf"    {path}\b", first), f"{path} --help: {first!r} is no example of it"
    assert main([*path.split()[1:], "-h"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("name", ["demo", "deploy", "doctor", "generate", "reconcile", "replay"])
def test_what_shows_its_progress_can_be_quiet(name: str) -> None:
    assert "--quiet" in {word for option in ALL[f"claims {name}"].params for word in option.opts}


def test_no_name_of_a_file_is_an_order_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "\x1b[2Jnowhere"]) == 1
    assert capsys.readouterr().err == "claims: \\x1b[2Jnowhere: No such file or directory\n"


def completed(shell: str, *words: str) -> list[str]:
    """What a shell is offered for the last of the words."""
    said = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    if words[-1] == "":
        said["COMP_WORDS"] += " "
    answer = subprocess.run(
        [sys.executable, "-m", "claims_ops.main"],
        env=os.environ | said | {"_CLAIMS_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.split("\n")


def test_bash_completes_with_the_script_that_is_printed() -> None:
    """A real bash, with the line of `claims --help`."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = """
        eval "$(_CLAIMS_COMPLETE=bash_source claims)"
        complete -p claims
        offered() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _claims_completion claims
            echo "${COMPREPLY[@]}"
        }
        offered claims do
        offered claims doctor --run
    """
    answer = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=os.environ | {"PATH": programs},
        capture_output=True,
        text=True,
        check=True,
    )
    registered, command, option = answer.stdout.splitlines()
    assert "_claims_completion claims" in registered
    assert (command, option) == ("doctor", "--running")


def test_zsh_completes() -> None:
    """By what its script asks; the script itself where there is a zsh."""
    answer = subprocess.run(
        [sys.executable, "-m", "claims_ops.main"],
        env=os.environ | {"_CLAIMS_COMPLETE": "zsh_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.startswith("#compdef claims\n")
    assert "_CLAIMS_COMPLETE=zsh_complete claims" in answer.stdout
    if zsh := shutil.which("zsh"):
        subprocess.run([zsh, "-n"], input=answer.stdout, text=True, check=True)
    assert completed("zsh", "claims", "do") == ["plain", "doctor", summary("doctor"), ""]
    steps = completed("zsh", "claims", "deploy", "--from", "ro")
    assert steps[:2] == ["plain", "roles"]


def test_help_tells_how_to_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for shell in ("bash", "zsh"):
        assert f'eval "$(_CLAIMS_COMPLETE={shell}_source claims)"' in text


@pytest.mark.parametrize(
    "terminal, no_color, coloured", [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours_are_for_terminals_that_want_them(
    terminal: bool, no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def colourful() -> None:
        click.secho("red", fg="red")

    reading, writing = os.openpty() if terminal else os.pipe()
    monkeypatch.setattr(cli._LazyGroup, "get_command", lambda self, ctx, name: colourful)
    monkeypatch.setenv("NO_COLOR", no_color)
    with open(reading, "rb", buffering=0) as reader:
        with open(writing, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            assert main(["colourful"]) == 0
            shown = reader.read(100)
    assert b"red" in shown
    assert (b"\x1b[" in shown) == coloured


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: claims ")


def test_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "nonsense" in err


@pytest.mark.parametrize(
    "raised, code, said",
    [
        (click.ClickException("no emulator:\n  install it"), 1, "claims: no emulator: install it"),
        (PermissionError(13, "Permission denied", "x"), 1, "claims: x: Permission denied"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_failure_is_one_line_and_a_code(
    raised: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    monkeypatch.setattr(cli._LazyGroup, "get_command", lambda self, ctx, name: failing)
    assert main(["failing"]) == code
    assert capsys.readouterr().err.strip() == said

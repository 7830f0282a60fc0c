"""The `claims` command as a whole: its table of commands, its errors, its exit codes."""

import subprocess
import sys

import click
import pytest

from pipeline.tools import cli
from pipeline.tools.cli import COMMANDS, claims, main


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_where_the_table_says(name: str) -> None:
    command = claims.get_command(click.Context(claims), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=100) == COMMANDS[name][1]
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys; from pipeline.tools.cli import main; code = main(['--help']);"
        "heavy = {'orjson', 'rich', 'grpc', 'google.cloud.pubsub_v1', 'apache_beam'};"
        "assert not heavy & set(sys.modules); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


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

"""deploy.sh and deploy.ps1, which pass everything on. The second is only read here, never run."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[3]
SCRIPT = (ROOT / "deploy.ps1").read_text()


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def parse(script: str) -> Node:
    return Parser(Language(tree_sitter_powershell.language())).parse(script.encode()).root_node


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def test_powershell_can_read_it():
    assert not parse(SCRIPT).has_error
    assert parse(SCRIPT.replace("{", "", 1)).has_error


def test_powershell_passes_on_arguments_and_exit_code():
    (statements,) = (node for node in parse(SCRIPT).children if node.type == "statement_list")
    *_, command, end = map(text, statements.children)
    assert (command, end) == ("& $claims deploy @args", "exit $LASTEXITCODE")


def test_powershell_stops_at_the_first_program_that_fails():
    """PowerShell itself would go on."""
    programs = [node for node in nodes(parse(SCRIPT)) if node.type == "command"]
    names = [text(node) for node in programs]
    installing = [name for name in names if name.startswith(("py ", "& $python"))]
    assert len(installing) == 3
    lines = SCRIPT.splitlines()
    for name in installing:
        number = next(number for number, line in enumerate(lines) if line.strip() == name)
        assert lines[number + 1].strip() == "if ($LASTEXITCODE) { exit $LASTEXITCODE }"


@pytest.mark.parametrize("argument, code", [("--help", 0), ("--nonsense", 2)])
def test_shell_passes_on_arguments_and_exit_code(argument: str, code: int, tmp_path: Path):
    ended = subprocess.run(
        [ROOT / "deploy.sh", argument], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == code
    assert argument in ended.stdout + ended.stderr

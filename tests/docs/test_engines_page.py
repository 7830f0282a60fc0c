"""docs/understand/engines.md: every difference that it lists names the tests that show it."""

import ast
import re

import pytest

from tests.support.docs.pages import ROOT

_HEADING = "## What differs on Prism"
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/understand/engines.md")
    .read_text()
    .partition(_HEADING)[2]
    .partition("\n## ")[0]
    .splitlines()
    if line.startswith("|")
]
DIFFERENCES = {row[0]: re.findall(r"`([\w/]+\.py)::(\w+)`", row[-1]) for row in _ROWS[2:]}
DIFFERS = "whole/test_prism_differs.py"


def names_of_tests(file: str) -> set[str]:
    """The tests of a file below tests/, by name."""
    body = ast.parse((ROOT / "tests" / file).read_text()).body
    names = {item.name for item in body if isinstance(item, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_difference_names_tests_that_exist(difference: str):
    assert DIFFERENCES[difference]
    for file, name in DIFFERENCES[difference]:
        assert name in names_of_tests(file), f"{file}::{name}"


def test_the_table_has_every_test_of_a_difference():
    named = {name for tests in DIFFERENCES.values() for file, name in tests if file == DIFFERS}
    assert named == names_of_tests(DIFFERS)

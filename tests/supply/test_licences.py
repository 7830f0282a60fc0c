"""docs/reference/licences.md lists what is locked; and a licence that is not allowed is refused."""

import subprocess
import sys

import pytest

from workshop import licences


def rows() -> dict[str, tuple[str, str]]:
    lines = licences.PAGE.read_text().splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {name: (version, licence) for name, version, licence in cells[1:]}


def test_page_lists_what_is_locked():
    assert {name: version for name, (version, _) in rows().items()} == dict(licences.locked())
    assert len(rows()) > 50


def test_page_tells_the_licences_and_all_are_allowed():
    """Elsewhere than on the platform of the workers some packages are not installed."""
    found = licences.licences()
    assert found.items() <= rows().items()
    assert len(found) > 50
    if sys.platform == "linux" and sys.version_info[:2] == (3, 11):
        assert found == rows()


def test_a_licence_that_is_not_allowed_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as refused:
        licences.licences("--allow-only=MIT;MIT License")
    assert "Apache" in refused.value.stderr

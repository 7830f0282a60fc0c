"""Where a reader of the docs is."""

from pathlib import Path

import pytest

from tests.support.docs.pages import ROOT


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a checkout to which files can be added."""
    directory = tmp_path / "checkout"
    directory.mkdir()
    for path in ROOT.iterdir():
        if path.is_dir():  # a file might be the reader's own, and would be written through the link
            (directory / path.name).symlink_to(path)
    monkeypatch.chdir(directory)
    return directory

"""The image under test. Without a Docker engine its tests are skipped; in CI they fail."""

import os
from pathlib import Path

import pytest

from tests.image import engine

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            # The fixtures build images, with a time limit of their own.
            item.add_marker(pytest.mark.timeout(120, func_only=True))


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker engine answers."""
    if not engine.answers():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(engine.REMEDY)


@pytest.fixture(scope="session")
def image(docker_engine: None) -> str:
    """The name of the image, built from this very source."""
    return engine.build()

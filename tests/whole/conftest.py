"""Engines that jobs run on."""

import pytest

from sandbox.emulators.local_server import ServerMissing
from tests.conftest import unavailable
from tests.support import beam_programs


@pytest.fixture(scope="session")
def prism() -> list[str]:
    """The flags of a launch on Prism, the runner that Beam itself prefers on a user's machine."""
    try:
        return ["--runner=PrismRunner", f"--prism_location={beam_programs.prism()}"]
    except ServerMissing as missing:
        unavailable(missing)

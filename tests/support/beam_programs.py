"""Beam's own programs, built from its Go module in the version of the Beam that is installed."""

import functools
from pathlib import Path

from tests.whole.image import engine


@functools.cache
def prism() -> Path:
    """Beam's local runner, which its DirectRunner would download.

    ServerMissing, with the reason, where it cannot be built.
    """
    return Path(engine.call(engine.HERE / "beam.sh", "prism").strip())

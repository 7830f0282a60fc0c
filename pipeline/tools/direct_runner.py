"""`pipeline.main` on Beam 2.77's DirectRunner with a fault of it mended.

`python -m pipeline.tools.direct_runner` takes the options of `python -m pipeline.main`. The
DirectRunner pulls 10 messages at a time, and for these 10 asks each step anew, by reflection on
all methods of its DoFn, whether it keeps state. Without this, that is two thirds of all CPU time.
"""

import sys
from collections.abc import Callable
from typing import Any

from apache_beam.transforms import userstate

from pipeline.main import main

Specs = tuple[set[Any], set[Any]]
"""State and timers that a DoFn declares."""


def _once_per_class(look: Callable[[Any], Specs]) -> Callable[[Any], Specs]:
    known: dict[type, Specs] = {}

    def specs(dofn: Any) -> Specs:
        if hasattr(dofn, "_inspect_process"):  # it wraps a function, which may declare some
            return look(dofn)
        kind = type(dofn)
        if kind not in known:
            known[kind] = look(dofn)
        return known[kind]

    return specs


if __name__ == "__main__":
    userstate.get_dofn_specs = _once_per_class(userstate.get_dofn_specs)
    sys.exit(main(["--runner=DirectRunner", *sys.argv[1:]]))

"""`pipeline.main` on Beam 2.77's DirectRunner, with one of its faults fixed.

`python -m sandbox.demo.direct_runner` takes the options of `python -m pipeline.main`. The
DirectRunner pulls 10 messages at a time, and for these 10 asks each step anew, by reflection on
all methods of its DoFn, whether it keeps state. Without this, that is two thirds of all CPU time.
"""

import sys
from collections.abc import Callable
from typing import Any

from apache_beam.transforms import userstate

from pipeline.main import main

Specs = tuple[set[Any], set[Any]]
"""State and timers that a DoFn declares, as defaults of the parameters of its methods."""


def once_per_class(look: Callable[[Any], Specs]) -> Callable[[Any], Specs]:
    """The same as `look`, but each class of DoFns is looked at once."""
    known: dict[type, Specs] = {}

    def specs(dofn: Any) -> Specs:
        if _wraps_declarations(dofn):
            return look(dofn)
        kind = type(dofn)
        if kind not in known:
            known[kind] = look(dofn)
        return known[kind]

    return specs


def _wraps_declarations(dofn: Any) -> bool:
    """Whether it may declare more than its class does, as `beam.ParDo` of a method may."""
    if not hasattr(dofn, "_inspect_process"):
        return False
    function = dofn._process_argspec_fn()
    return bool(getattr(function, "__defaults__", True)) or hasattr(function, "__wrapped__")


if __name__ == "__main__":
    userstate.get_dofn_specs = once_per_class(userstate.get_dofn_specs)
    sys.exit(main(["--runner=DirectRunner", *sys.argv[1:]]))

"""Python's cyclic garbage collector, kept from looking at every claim and at all of Beam.

A claim is freed by its reference count: nothing here makes cycles. What is left for the collector
is little, and by default it took a fifth of the pipeline's CPU to find that out.
"""

import gc
from functools import cache

_NEW_OBJECTS = 20_000
"""Objects that have come since the last look and have not gone: a batch of claims needs 2,000."""


@cache
def look_less_often() -> None:
    """Call once per process: collect less often, and skip everything loaded so far."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)

"""What a function gave for values that came lately: the one bounded memory of a worker."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(dict[K, V]):
    """Results of a function by its argument. When it is full, it forgets all and starts again.

    A look-up of a remembered result costs no Python call: take `memory.__getitem__`.
    """

    def __init__(self, compute: Callable[[K], V], entries: int, fits: Callable[[K, V], bool]):
        """Remember at most so many results of a pure function.

        `fits` tells whether an argument with its result is small enough to be kept: either may be
        megabytes of a message.
        """
        super().__init__()
        self._compute = compute
        self._entries = entries
        self._fits = fits

    def __missing__(self, key: K) -> V:
        result = self._compute(key)
        if self._fits(key, result):
            if len(self) >= self._entries:
                self.make_room()
            self[key] = result
        return result

    def make_room(self) -> None:
        self.clear()


def always_fits(_key: object, _result: object) -> bool:
    """For arguments and results that are small by their nature."""
    return True

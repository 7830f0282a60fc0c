"""Rows of a table, kept by column."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

_ARRAYS = {list, tuple}

Columns = Mapping[str, Sequence[Any]]
"""Several claims or rows by field: the values of the first, the second, ..."""


def are_empty(values: Sequence[Any]) -> bool:
    """Whether all values of a column are null, or all are empty arrays."""
    first = values[0]
    if first is None:
        return values.count(None) == len(values)
    return type(first) in _ARRAYS and not any(values) and _ARRAYS.issuperset(map(type, values))


class Rows(Sequence[dict[str, Any]]):
    """Rows that are made when someone asks for one; a sink may take the columns as they stand."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> "Rows": ...
    def __getitem__(self, place: int | slice) -> "dict[str, Any] | Rows":
        chosen = {name: values[place] for name, values in self.columns.items()}
        return Rows(chosen) if isinstance(place, slice) else chosen

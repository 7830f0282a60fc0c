"""Rows of a table, kept by column."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, overload

_ARRAYS = {list, tuple}

Columns = Mapping[str, Sequence[Any]]
"""Several claims or rows by field: the values of the first, the second, ..."""


class Empty(tuple[Any, ...]):
    """A column known to be empty: as many nulls, or empty arrays, as there are rows."""

    __slots__ = ()


@lru_cache(1_024)
def empty(size: int, of_arrays: bool = False) -> Empty:
    """The empty column of so many rows."""
    return Empty(repeat([] if of_arrays else None, size))


def are_empty(values: Sequence[Any]) -> bool:
    """Whether all values of a column are null, or all are empty arrays."""
    if type(values) is Empty:
        return True
    first = values[0]
    if first is None:
        return values.count(None) == len(values)
    return type(first) in _ARRAYS and not any(values) and _ARRAYS.issuperset(map(type, values))


def columns_of(rows: Sequence[dict[str, Any]], blank: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The fields of `blank` by column; a row that lacks one has its value there."""
    return {name: [row.get(name, value) for row in rows] for name, value in blank.items()}


def filled(columns: Columns, blank: Mapping[str, Any], size: int) -> Columns:
    """Exactly the columns of `blank`, in its order; those that are missing are empty."""
    return {
        name: columns[name] if name in columns else empty(size, value is not None)
        for name, value in blank.items()
    }


class Rows(Sequence[dict[str, Any]]):
    """Rows that are made when someone asks for one; a sink may take the columns as they stand."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        columns = self.columns
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> "Rows": ...
    def __getitem__(self, place: int | slice) -> "dict[str, Any] | Rows":
        chosen = {name: values[place] for name, values in self.columns.items()}
        return Rows(chosen) if isinstance(place, slice) else chosen

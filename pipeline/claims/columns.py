"""Rows of a table, kept by column."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

Columns = Mapping[str, Sequence[Any]]
"""Several claims or rows by field: the values of the first, the second, ..."""


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

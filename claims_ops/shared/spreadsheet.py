"""CSV files, which people open in spreadsheets."""

import csv
from collections.abc import Callable, Iterable
from typing import IO, Any, Final

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
_ROW_END: Final = "\r\n"


class _Rows:
    """Ends rows with a line feed alone. Python quotes no carriage return but where rows end in one,
    and other readers take it for the end of a row."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix(_ROW_END) + "\n")


def row_writer(file: IO[str]) -> Callable[[Iterable[Any]], Any]:
    """Writes rows to a CSV file; a line break of any kind in a cell is quoted."""
    return csv.writer(_Rows(file), lineterminator=_ROW_END).writerow


def inert(text: str) -> str:
    """A text that no spreadsheet runs: behind an apostrophe where it would."""
    return f"'{text}" if text.startswith(_FORMULAS) else text

"""Tables as their publishers give them: a notice, a header, perhaps wrapped, and rows."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from operator import itemgetter

_HEADER_WITHIN = 60
"""Rows in which the header must be: the notices of CMS are a few lines long."""
MAX_LINE = 64 * 1024
"""Characters of a line. The longest line of the published files has about 2,000."""


class InvalidReference(ValueError):
    """A reference file that cannot be used: which column or row, and why, without a value."""


def rows(
    lines: Iterable[str],
    columns: Mapping[str, str],
    delimiter: str = ",",
    *,
    is_ours: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """The cells of the wanted columns of each row, with the row's number in the file.

    `columns` maps the name that an error uses to the regular expression that the column's title
    matches, in lower case and with single blanks; cells come in that order, without blanks around
    them. Those of a file of ours come as they are: two ids of claims may differ in a blank, and
    have line ends. In other files, a row of several lines has a quote that is not closed. Rows with
    an empty first cell are left out: they continue a header that is wrapped over several rows.

    Raises:
        InvalidReference: a column is missing, a row is shorter than the header, or no table at all.
    """
    reader = csv.reader(_bounded(lines), delimiter=delimiter, strict=is_ours)
    table, tidy = enumerate(reader, start=1), str if is_ours else str.strip
    number, has_begun = 0, False
    try:
        chosen = itemgetter(*_header(table, columns))
        end = reader.line_num
        for number, cells in table:
            found = list(map(tidy, chosen(cells))) if cells else [""]
            has_begun = has_begun or found[0] != ""
            if reader.line_num > end + 1 and has_begun and not is_ours:
                raise InvalidReference(f"row {number} has a quote that is not closed")
            end = reader.line_num
            if found[0]:
                yield number, found
    except IndexError:
        raise InvalidReference(f"row {number} has fewer cells than the header") from None
    except csv.Error as error:
        raise InvalidReference(f"cannot be read as a table: {error}") from None


def day_of(text: str) -> date:
    """The day of eight digits, such as 20240401.

    Raises:
        ValueError: it is none.
    """
    if len(text) != 8 or not (text.isascii() and text.isdecimal()):
        raise ValueError
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _header(table: Iterator[tuple[int, list[str]]], columns: Mapping[str, str]) -> list[int]:
    """Where the columns are, in the first row that has them all."""
    missing = next(iter(columns))
    for _, cells in islice(table, _HEADER_WITHIN):
        titles = [" ".join(cell.lower().split()) for cell in cells]
        found = {
            name: place
            for name, title in columns.items()
            for place in reversed(range(len(titles)))
            if re.fullmatch(title, titles[place])
        }
        if len(found) == len(columns):
            return [found[name] for name in columns]
        if found:  # nearly the header
            missing = next(name for name in columns if name not in found)
    raise InvalidReference(f"the column {missing!r} is missing")


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            raise InvalidReference(f"line {number} is longer than {MAX_LINE} characters")
        yield line

"""Rows of a query as text of which no terminal cuts anything: what does not fit stands below."""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from claims_ops.shared.counted import digits_of

_GAP = "  "
_BELOW = "    "
_NUMBERS = ("INTEGER", "FLOAT", "NUMERIC")


class Field(NamedTuple):
    """A column of the result."""

    name: str
    type: str
    """As BigQuery calls it: INTEGER, NUMERIC ..."""


def text_of(column: str, value: Any) -> str:
    """A value for people: whole, with amounts as dollars."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        exact = digits_of(value, ",f")
        if "amount" not in column:
            return exact
        whole, _, cents = exact.partition(".")
        return f"${whole}.{cents:<02}".replace("$-", "-$")
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def table(fields: Sequence[Field], rows: Sequence[Sequence[Any]], width: int) -> str:
    """A header and a line for each row, followed by lines of what does not fit beside the rest."""
    names = [field.name.replace("_", " ") for field in fields]
    texts = [
        [text_of(field.name, value) for field, value in zip(fields, row, strict=True)]
        for row in rows
    ]
    widths = [
        max(map(len, [*name.split(), *(row[place] for row in texts)]))
        for place, name in enumerate(names)
    ]
    beside = [0]
    for place in range(1, len(fields)):
        if sum(widths[each] for each in beside) + widths[place] + len(beside) * len(_GAP) <= width:
            beside.append(place)
    below = [place for place in range(len(fields)) if place not in beside]

    def line(cells: Sequence[str]) -> str:
        """The cells of the columns that stand beside each other."""
        padded = (
            cell.rjust(widths[place])
            if fields[place].type in _NUMBERS
            else cell.ljust(widths[place])
            for place, cell in zip(beside, cells, strict=True)
        )
        return _GAP.join(padded).rstrip()

    headers = [textwrap.wrap(names[place], widths[place]) for place in beside]
    height = max(map(len, headers))
    lines = [
        line(cells) for cells in zip(*([""] * (height - len(h)) + h for h in headers), strict=True)
    ]
    lines.append(
        "─" * min(width, sum(widths[each] for each in beside) + len(_GAP) * (len(beside) - 1))
    )
    for row in texts:
        lines.append(line([row[place] for place in beside]))
        more = _GAP.join(f"{names[place]}: {row[place]}" for place in below if row[place])
        lines += textwrap.wrap(
            more,
            width,
            initial_indent=_BELOW,
            subsequent_indent=_BELOW,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
    return "\n".join(lines)

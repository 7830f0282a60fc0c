"""What the columns of BigQuery can hold: NUMERIC, BIGNUMERIC, DATE, TIMESTAMP and JSON.

Ranges and limits are those of "Data types" in the GoogleSQL reference. Whatever checks, converts
or encodes a value takes them from here.
"""

import json
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson


class DecimalRange(NamedTuple):
    """The numbers of a decimal column."""

    least: Decimal
    most: Decimal
    scale: int
    """Digits after the decimal point."""


_NUMERIC_MOST = Decimal("99999999999999999999999999999.999999999")
DECIMAL_RANGES: Final = {
    "NUMERIC": DecimalRange(_NUMERIC_MOST.copy_negate(), _NUMERIC_MOST, 9),
    "BIGNUMERIC": DecimalRange(
        Decimal("-578960446186580977117854925043439539266.34992332820282019728792003956564819968"),
        Decimal("578960446186580977117854925043439539266.34992332820282019728792003956564819967"),
        38,
    ),
}
NUMERIC: Final = DECIMAL_RANGES["NUMERIC"]
_PLAIN_NUMERIC = r"-?[0-9]{1,29}(?:\.[0-9]{1,9})?"
is_plain_numeric = re.compile(_PLAIN_NUMERIC).fullmatch
"""Whether a text is a NUMERIC as it stands."""
_LINES_OF_NUMERICS = re.compile(rf"(?:{_PLAIN_NUMERIC}\n)+")

# RFC 3339 also allows year 0 and leap seconds, which neither Python nor BigQuery can hold, and
# normalisation has made `T` and `Z` upper case and cut what is finer than a microsecond. Some
# digits are written as [0-9] because `jsonschema-rs` 0.60 takes `*` to `/` for some of `\d`.
_YEAR = r"(?:000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})"
# A TIMESTAMP is an instant of the years 1 to 9999 in UTC: on the first of these days an offset may
# not lead back, on the last not ahead.
_FIRST, _LAST = "0001-01-01", "9999-12-31"
_MIDDLE_YEAR = r"(?:000[2-9]|00[1-9]\d|0[1-9]\d\d|[1-8]\d{3}|9[0-8]\d\d|99[0-8]\d|999[0-8])"
_MIDDLE_DAY = (
    rf"(?:{_MIDDLE_YEAR}-\d\d-\d\d"
    r"|0001-(?:01-(?:0[2-9]|[1-3]\d)|(?:0[2-9]|1\d)-\d\d)"
    r"|9999-(?:12-(?:[0-2]\d|30)|(?:0\d|1[01])-\d\d))"
)
_TIME = r"T\d\d:\d\d:[0-5]\d(?:\.\d{1,6})?"
PATTERNS: Final = {
    "date": rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}$",
    "date-time": rf"^(?:{_MIDDLE_DAY}{_TIME}(?:Z|[+-]\d\d:\d\d)"
    rf"|{_FIRST}{_TIME}(?:Z|-\d\d:\d\d|\+00:00)|{_LAST}{_TIME}(?:Z|\+\d\d:\d\d|-00:00))$",
}
"""JSON Schema format -> pattern of the texts that a DATE or a TIMESTAMP can hold."""

MAX_JSON_LEVELS: Final = 500
"""Levels of arrays and objects in a JSON value."""

_CENTS_LIMIT = 1_000_000.0
"""Below this cents have few enough digits for a double."""


def exact_number(text: str) -> float | Decimal:
    """A decimal number as a double, if that keeps every digit, else as a `Decimal`."""
    number, exact = float(text), Decimal(text)
    return number if Decimal(repr(number)) == exact else exact


def decimal_fault(exact: Decimal, column_type: str) -> str | None:
    """Why a decimal column cannot hold a number to the digit: `scale`, `precision`, or None."""
    held = DECIMAL_RANGES[column_type]
    # Neither arithmetic nor as_tuple(): the one rounds, the other takes its time over megabytes.
    digits, _, exponent = str(exact).partition("E")
    if len(digits.partition(".")[2].rstrip("0")) - int(exponent or 0) > held.scale and exact:
        return "scale"
    return None if held.least <= exact <= held.most else "precision"


def numeric_fault(value: Any) -> str | None:
    """The same of a value for a NUMERIC column; None, too, for what is no number."""
    if isinstance(value, bool) or not isinstance(value, float | int | Decimal):
        return None
    # The shortest text of a double is the text that it was read from.
    return decimal_fault(Decimal(repr(value) if isinstance(value, float) else value), "NUMERIC")


def fit_numeric(values: Iterable[Any]) -> list[bool]:
    """True for each value that fits a NUMERIC column exactly, or is not a number."""
    return [
        # Dollars and cents, as most are: the double nearest to so many cents.
        value is None
        or (
            type(value) is float
            and -_CENTS_LIMIT < value < _CENTS_LIMIT
            and round(value * 100) / 100 == value
        )
        or _fits(value)
        for value in values
    ]


def _fits(value: Any) -> bool:
    if type(value) is float:
        text = repr(value)
        if "." in text[-1 - NUMERIC.scale :] and "e" not in text:
            return True  # below 10^16
    return numeric_fault(value) is None


def are_plain_numerics(texts: Sequence[str]) -> bool:
    """Whether each text is a NUMERIC as it stands; in a third of the time of a look at each.

    Raises:
        TypeError: one of them is no text.
    """
    lines = "\n".join([*texts, ""])
    return lines.count("\n") == len(texts) and _LINES_OF_NUMERICS.fullmatch(lines) is not None


def decimal_texts(values: Sequence[float | int | Decimal | None]) -> list[str | None]:
    """The `decimal_text` of each number."""
    texts = list(map(str, values))
    joined = "".join(texts)
    if "e" in joined or "E" in joined:  # an exponent, or None
        return list(map(decimal_text, values))
    return [*texts]


def decimal_text(value: float | int | Decimal | None) -> str | None:
    """A number as plain decimal text, to the last digit; None stays None."""
    if value is None:
        return None
    text = str(value)
    return format(Decimal(text), "f") if "e" in text or "E" in text else text


class NumbersAsText(str):
    """JSON in which numbers became texts, because a JSON column would have rounded them."""


def json_text(value: Any) -> str:
    """A value as JSON; `NumbersAsText` where a number would have lost digits as a number.

    Raises:
        RecursionError: it is nested more than `MAX_JSON_LEVELS` deep.
    """
    as_text = False

    def digits(number: Any) -> str:
        nonlocal as_text
        if not isinstance(number, Decimal):
            raise TypeError
        as_text = True
        return str(number)

    try:
        text = orjson.dumps(value, default=digits).decode()
    except orjson.JSONEncodeError:  # from 255 levels on
        if _is_too_deep(value):
            raise RecursionError from None
        text = json.dumps(value, default=digits, ensure_ascii=False)
    return NumbersAsText(text) if as_text else text


def json_column(value: Any) -> Any:
    """The objects of a JSON column as text; null stays null, an array is one of texts."""
    if value is None:
        return None
    return [json_text(item) for item in value] if type(value) is list else json_text(value)


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_JSON_LEVELS):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    return bool(level)

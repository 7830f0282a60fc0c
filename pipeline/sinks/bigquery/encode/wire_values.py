"""One value of a row, in the form that the Storage Write API takes for its column's type.

The proto types are those of "Supported protocol buffer data types" in the BigQuery documentation:
DATE is int32 days and TIMESTAMP int64 microseconds since 1970-01-01; NUMERIC, JSON, GEOGRAPHY,
TIME and DATETIME are text. A conversion that a column needs is here; what protobuf itself takes
as it stands (text, bytes, numbers) is not.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from functools import lru_cache
from typing import Any, Final

from pipeline.claims.storable import decimal_fault, is_plain_numeric

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_FIRST_DAY = date.min.toordinal() - _EPOCH_DAY
_LAST_DAY = date.max.toordinal() - _EPOCH_DAY

_FAULT_CODES: Final = {"scale": "too_many_decimals", "precision": "out_of_range"}


class ValueRefused(ValueError):
    """A value that its column cannot hold; `code` says why, nothing says what the value was."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


REFUSALS: Final = {
    "required_missing": "required but missing",
    "wrong_type": "does not match the column's type",
    "null_in_array": "an array contains null",
    "out_of_range": "outside the range of the column's type",
    "not_unicode": "contains a lone surrogate",
    "bad_date": "must be a YYYY-MM-DD date between the years 1 and 9999",
    "bad_time": "must be a time in the form HH:MM:SS[.ffffff]",
    "bad_datetime": "must be a date and time without a UTC offset",
    "bad_timestamp": "must be a date and time with a UTC offset (RFC 3339)",
    "bad_number": "must be a finite number",
    "too_many_decimals": "more decimal places than the column can hold",
    "unknown_column": "the table has no such column",
    "not_encodable": "cannot be encoded",
}
"""Why a row cannot be encoded: error code, and what it says after the column's name."""


@lru_cache(maxsize=8192)
def days_of(text: str) -> int:
    """Days from 1970-01-01 to a date `YYYY-MM-DD`."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise ValueRefused("bad_date")
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        raise ValueRefused("bad_date") from None


def microseconds_of(text: str) -> int:
    """Microseconds from the epoch to an RFC 3339 time; digits beyond the microsecond are cut."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _unusual_timestamp(text)
    try:
        since = moment - _EPOCH
    except TypeError:  # it has no offset
        raise ValueRefused("bad_timestamp") from None
    days = since.days
    if not _FIRST_DAY <= days <= _LAST_DAY:
        raise ValueRefused("bad_timestamp")
    return (days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _unusual_timestamp(text: str) -> datetime:
    """Lower case `t` and `z`, and leap seconds, which count as the second that follows."""
    text = text.upper()
    leap = timedelta(0)
    if text[16:19] == ":60":
        text, leap = f"{text[:16]}:59{text[19:]}", timedelta(seconds=1)
    try:
        return datetime.fromisoformat(text) + leap
    except (ValueError, OverflowError):
        raise ValueRefused("bad_timestamp") from None


def numeric_text_of(value: Any) -> str:
    """A NUMERIC (text, int, Decimal, float) as plain decimal text.

    Exact: what has more than 29 digits before the point or 9 after it is refused, not rounded.
    """
    if value.__class__ is float:
        text = repr(value)  # the shortest text that reads back as this float
        if "." in text[-10:] and "e" not in text:
            return text
        value = text
    if isinstance(value, str) and is_plain_numeric(value):
        return value
    return _decimal_text(value, "NUMERIC")


def bignumeric_text_of(value: Any) -> str:
    """A BIGNUMERIC as plain decimal text, exact: at most 38 decimals, or refused."""
    if value.__class__ is float:
        value = repr(value)
    return _decimal_text(value, "BIGNUMERIC")


def _decimal_text(value: Any, column_type: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueRefused("wrong_type")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueRefused("bad_number") from None
    if not number.is_finite():
        raise ValueRefused("bad_number")
    fault = decimal_fault(number, column_type)
    if fault is not None:
        raise ValueRefused(_FAULT_CODES[fault])
    if not number:
        return "0"  # whatever its exponent
    with localcontext(prec=len(number.as_tuple().digits)):
        return format(number.normalize(), "f")  # without trailing zeros


def time_text_of(text: str) -> str:
    """A TIME as text."""
    try:
        if len(text) < 8 or time.fromisoformat(text).tzinfo is not None:
            raise ValueRefused("bad_time")
    except ValueError:
        raise ValueRefused("bad_time") from None
    return text


def datetime_text_of(text: str) -> str:
    """A DATETIME as text."""
    try:
        if len(text) < 19 or datetime.fromisoformat(text).tzinfo is not None:
            raise ValueRefused("bad_datetime")
    except ValueError:
        raise ValueRefused("bad_datetime") from None
    return text


EXACT_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "INTEGER": (int, type(None)),
    "FLOAT": (float, int, type(None)),
    "BOOLEAN": (bool, type(None)),
    "BYTES": (bytes, type(None)),
    "REPEATED": (list, tuple, type(None)),
}
"""Column type or mode to the types of its values, where protobuf itself would take more: True for
the integer 1, 2 for True, a text as the array of its letters."""

CONVERSIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "DATE": days_of,
    "TIMESTAMP": microseconds_of,
    "NUMERIC": numeric_text_of,
    "BIGNUMERIC": bignumeric_text_of,
    "TIME": time_text_of,
    "DATETIME": datetime_text_of,
}
"""Column type to its conversion; protobuf takes the other types as they stand."""

"""What claim maps need and JSONata has not: strict dates, ages, exact money, FHIR references."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson

_REMEMBERED = 8_192
_RUN_OF_DIGITS = re.compile(r"(?=(?:%[HIMS])*%[Ymdyj])(?:%[YmdyjHIMS]){2,}")
"""In a date format: elements of a day with nothing to tell how many digits each has."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST = 64
"""Characters of a text that may be a date; a longer one is not looked at."""
_CENT = Decimal("0.01")
_LARGEST = 1e13
"""Below this a double tells all cents apart."""
AMOUNTS = 'a number, a string that contains only a number, such as "180.50", or an array of these'
"""What `$money` takes, for people."""


class MisuseError(Exception):
    """A map calls one of our functions wrongly: how it is called, in one line without a value."""


@lru_cache(_REMEMBERED)
def _day(text: str, form: str) -> str:
    try:
        moment = datetime.strptime(text.strip(), form)
        # Without its first zero, 01012026 would be the first of October.
        are_whole = (moment.strftime(run) in text for run in _RUN_OF_DIGITS.findall(form))
        return moment.date().isoformat() if all(are_whole) else text
    except (ValueError, OverflowError, re.error):  # the last of an element that stands twice
        return text


def day(text: Any = None, form: Any = "", *others: Any) -> Any:
    """`$date(text, format)`: a day as `2026-02-27`, read in the declared format.

    The format's elements are those of `strptime` and of BigQuery's `PARSE_DATE`: `%m/%d/%Y`.
    What is not such a day comes back unchanged, so that the contract names the field. A number is
    read as its digits: `20260227`.

    Raises:
        MisuseError: the format is no text, or there is a third argument.
    """
    if type(form) is not str or others:
        raise MisuseError("$date takes a string and its date format, such as %m/%d/%Y")
    if type(text) is int:
        text = str(text)
    if type(text) is not str or not text:
        return text
    return _day(text, form) if len(text) <= _LONGEST else text


@lru_cache(_REMEMBERED)
def _years(birth: str, at: str) -> int | None:
    try:
        born, then = date.fromisoformat(birth[:10]), date.fromisoformat(at[:10])
    except ValueError:
        return None
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))


def age(birth: Any = None, at: Any = None, *others: Any) -> int | None:
    """`$age(birth, at)`: completed years from one ISO day or date-time to another.

    Undefined where either is missing or no full date.

    Raises:
        MisuseError: there is a third argument.
    """
    if others:
        raise MisuseError(
            "$age takes two ISO dates: the date of birth, and the date on which to determine the"
            " age"
        )
    if type(birth) is not str or type(at) is not str:
        return None
    return _years(birth[:_LONGEST], at[:_LONGEST])


def _decimal(value: Any) -> Decimal | None:
    """The number, if it is one or the text of one, of a size that an amount may have."""
    if type(value) is bool or not isinstance(value, int | float | str):
        return None
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    with suppress(InvalidOperation):
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) < 20:
            return number
    return None


def _cents(amount: float) -> int | None:
    """The cents in an amount, if it is the double nearest to them."""
    if not -_LARGEST < amount < _LARGEST:
        return None
    cents = round(amount * 100)
    return cents if cents / 100 == amount else None


def money(amounts: Any = None, *others: Any) -> Any:
    """`$money(amounts)`: one amount, or the sum of an array of them, exact and rounded to cents.

    Numbers and numeric text count, missing ones do not; undefined where there is none. What is no
    number comes back unchanged, as does an array with such an item, so that the contract names the
    field.

    Raises:
        MisuseError: there is a second argument.
    """
    if others:
        raise MisuseError(f"$money takes one argument: {AMOUNTS}")
    if type(amounts) is float and _cents(amounts) is not None:
        return amounts  # as most are
    cents, rest = 0, None
    is_found = False
    for amount in amounts if type(amounts) is list else (amounts,):
        if amount is None or amount == "":
            continue
        is_found = True
        its = _cents(amount) if type(amount) is float else None
        if its is not None:
            cents += its
            continue
        number = _decimal(amount)
        if number is None:  # one of several alone might pass for their sum
            return amounts
        rest = number if rest is None else rest + number
    if rest is not None:
        return float((rest + Decimal(cents).scaleb(-2)).quantize(_CENT, ROUND_HALF_UP))
    return cents / 100 if is_found else None


def distinct(items: Any = None) -> Any:
    """JSONata's own `$distinct`, in time that grows with the items and not with their square."""
    if type(items) is not list or len(items) < 2:
        return items
    return list({_identity(item): item for item in items}.values())


def _identity(item: Any) -> Any:
    """The same for values that JSONata holds to be equal, and only for those."""
    if type(item) is str:
        return item
    try:
        return orjson.dumps(item, default=repr, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # nested 255 levels deep
        return id(item)


class References:
    """`$resolve(reference, contained)`: the FHIR resource that a reference in a document points to.

    Looked for in this order: `#id` among the `contained` resources of the referring resource (of
    the document itself where none are given), then `entry.fullUrl`, then `Type/id`, with or
    without a server and a version around it. Undefined where there is none.
    """

    def __init__(self) -> None:
        self.document: Any = None
        self._found: dict[str, Any] | None = None

    def enter(self, document: Any) -> None:
        """Begin with another document."""
        self.document, self._found = document, None

    def resolve(self, reference: Any = None, contained: Any = None, *others: Any) -> Any:
        """The resource, or None.

        Raises:
            MisuseError: there is a third argument.
        """
        if others:
            raise MisuseError("$resolve takes a reference and, if needed, contained resources")
        if type(reference) is not str or not reference:
            return None
        if reference.startswith("#"):
            if contained is None and type(self.document) is dict:
                contained = self.document.get("contained")
            for resource in contained if type(contained) is list else [contained]:
                if type(resource) is dict and resource.get("id") == reference[1:]:
                    return resource
            return None
        if self._found is None:
            self._found = dict(_resources(self.document))
        return self._found.get(reference) or self._found.get(_relative(reference))


def _relative(reference: str) -> str:
    """`Type/id` of `https://server/Type/id/_history/1`."""
    return "/".join(reference.partition("/_history/")[0].rsplit("/", 2)[-2:])


def _resources(document: Any) -> Iterator[tuple[str, Any]]:
    entries = document.get("entry") if type(document) is dict else None
    for entry in reversed(entries) if type(entries) is list else ():
        resource = entry.get("resource") if type(entry) is dict else None
        if type(resource) is not dict:
            continue
        if resource.get("resourceType") == "Bundle":
            yield from _resources(resource)
        yield f"{resource.get('resourceType')}/{resource.get('id')}", resource
        if type(entry.get("fullUrl")) is str:
            yield entry["fullUrl"], resource


def functions(references: References) -> dict[str, Callable[..., Any]]:
    """Each function by the name that maps call it by, without the `$`."""
    return {"age": age, "date": day, "money": money, "resolve": references.resolve}

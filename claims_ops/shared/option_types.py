"""Types of options that click lacks."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from pipeline.claims.tables import TableName

MAX_COUNT = 1_000_000_000_000
"""Of messages: more is a slip of the finger, and too much for BigQuery's integers."""
MAX_DURATION_SECONDS = 365 * 24 * 3600


class Duration(click.ParamType[timedelta]):
    """`30s`, `5m` or `2h`."""

    name = "duration"
    _UNITS = {"s": 1, "m": 60, "h": 3600}

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", value)
        if not match:
            self.fail(f"{value!r} is not a duration such as 30s, 5m or 2h.", param, ctx)
        seconds = float(match[1]) * self._UNITS[match[2]]
        if not 0 < seconds <= MAX_DURATION_SECONDS:
            self.fail(f"{value!r} is not between 0s and 8760h.", param, ctx)
        return timedelta(seconds=seconds)


class Bounds(click.ParamType[tuple[int, int]]):
    """`2-10`: the least and the most of something, each from 1 to `most`."""

    name = "min-max"

    def __init__(self, most: int) -> None:
        self._most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", value)
        if not match:
            self.fail(f"{value!r} must have the form MIN-MAX, such as 1-10.", param, ctx)
        least, most = int(match[1]), int(match[2])
        if not 1 <= least <= most <= self._most:
            self.fail(
                f"{value!r} must be within 1-{self._most}, with the smaller number first.",
                param,
                ctx,
            )
        return least, most


class Number(click.FloatRange):
    """A number between bounds: neither infinite nor NaN, which compares with nothing."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Instant(click.ParamType[datetime]):
    """ISO 8601, made UTC; UTC where it has no offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return instant(value)
        except OverflowError:
            self.fail(f"{value!r} is not between the years 1 and 9999 in UTC.", param, ctx)
        except ValueError:
            self.fail(f"{value!r} is not a valid time. Example: 2026-11-23T08:00:00Z.", param, ctx)


def instant(value: str | datetime) -> datetime:
    """A time, UTC.

    Raises:
        ValueError: it is not ISO 8601.
        OverflowError: it is outside of the years 1 to 9999 in UTC.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class ResourceName(click.ParamType[str]):
    """A name on Google Cloud, which neither looks like a flag of gcloud nor splits its lists."""

    name = "text"

    def __init__(self, pattern: str, example: str) -> None:
        self._matches = re.compile(pattern, re.ASCII).fullmatch
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._matches(value):
            self.fail(f"{value[:200]!r} is not a valid name. Example: {self._example}.", param, ctx)
        return str(value)


class TopicName(click.ParamType[str]):
    """`projects/P/topics/T`."""

    name = "topic"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"projects/[^/\s]+/topics/[^/\s]+", value):
            self.fail(f"{value!r} must have the form projects/PROJECT/topics/TOPIC.", param, ctx)
        return str(value)


class BigqueryTable(click.ParamType[TableName]):
    """`project.dataset.table` or `project:dataset.table`."""

    name = "table"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> TableName:
        if isinstance(value, TableName):
            return value
        try:
            return TableName.parse(value)
        except ValueError:
            self.fail(f"{value!r} must have the form PROJECT.DATASET.TABLE.", param, ctx)

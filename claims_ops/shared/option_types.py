"""What the options of the `claims` command may be, beyond what click brings along."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from pipeline.claims.tables import TableName


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
            self.fail(f"{value!r} is not a time such as 30s, 5m or 2h.", param, ctx)
        return timedelta(seconds=float(match[1]) * self._UNITS[match[2]])


class Instant(click.ParamType[datetime]):
    """ISO 8601; UTC where it has no offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-23T08:00:00Z.", param, ctx)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


class TopicName(click.ParamType[str]):
    """`projects/P/topics/T`."""

    name = "topic"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"projects/[^/\s]+/topics/[^/\s]+", value):
            self.fail(f"{value!r} is not of the form projects/PROJECT/topics/TOPIC.", param, ctx)
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
            self.fail(f"{value!r} is not of the form PROJECT.DATASET.TABLE.", param, ctx)

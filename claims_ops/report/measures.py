"""Queries BigQuery for the figures of a report: aggregates, in a bounded number of rows.

The queries are those of `sql/report/`; the most rows come from a query over time (`MAX_STEPS`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

import click

from claims_ops.report.text import shown
from claims_ops.shared import analyst_queries
from claims_ops.shared.queries import Queries, Value
from pipeline.claims.tables import TableName

Row = Mapping[str, Any]
"""A row of an answer, by column; its texts are `shown`."""

MAX_STEPS = 60
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SECONDS = (1, 2, 5, 10, 30)
_MINUTES = (1 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE)
_HOURS = (1 * _HOUR, 4 * _HOUR, 12 * _HOUR)
_DAYS = (1 * _DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY)
STEPS_SECONDS = _SECONDS + _MINUTES + _HOURS + _DAYS
_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows are counted."""

    claims: TableName
    errors: TableName
    since: datetime | None = None
    """Rows made at or after this; None for all."""
    until: datetime | None = None
    """Rows made before this."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The answers, each by the name of its query."""

    claims_totals: Row
    error_totals: Row
    step_seconds: int
    first_seen: datetime | None
    """The first row of either table; None when there is none."""
    last_seen: datetime | None
    answers: Mapping[str, list[Row]]

    @property
    def claims(self) -> int:
        """Rows of the claims table."""
        return int(self.claims_totals["claims"])

    @property
    def rejected(self) -> int:
        """Rows of the error table."""
        return int(self.error_totals["messages"])

    @property
    def repeated_rows(self) -> int:
        """Rows of either table whose message has another one there."""
        return int(self.claims_totals["repeated_rows"] + self.error_totals["repeated_rows"])


AGGREGATES = (
    "volumes",
    "latency",
    "rejections",
    "rejection_errors",
    "violations",
    "amount_by_score",
    "rules_fired",
    "providers",
    "regions",
)
CLAIMS = "riskiest_claims"
"""The only query that returns claims."""


def measure(queries: Queries, scope: Scope, include_claims: bool = False) -> Measures:
    """Ask all that a report needs.

    Raises:
        click.ClickException: BigQuery does not answer, or there is no `sql/`.
    """
    bounds: dict[str, Value] = {
        "since": scope.since or _EVER[0],
        "until": scope.until or _EVER[1],
    }
    has_view = queries.has(scope.claims._replace(table=f"{scope.claims.table}_current"))
    tables = {
        "CLAIMS_TABLE": str(scope.claims),
        "ERROR_TABLE": str(scope.errors),
        "CURRENT_CLAIMS": f"`{scope.claims}_current_between`(@since, @until)"
        if has_view
        else f"`{scope.claims}`",
    }

    def ask(name: str, **parameters: Value) -> list[Row]:
        sql = Template(_sql(name)).substitute(tables)
        return list(map(_shown, queries.read(queries.rows(sql, bounds | parameters))))

    (claims,), (errors,), (standing,) = map(
        ask, ("claims_totals", "error_totals", "standing_totals")
    )
    claims = {**claims, **standing, "is_current": has_view}
    first, last = _ends(claims, errors)
    step_seconds = step_for(first, last)
    if first and last:
        # Rows that come from now on would be in some answers only.
        bounds = {"since": first, "until": last + timedelta(microseconds=1)}
    answers = {}
    for name in (*AGGREGATES, *((CLAIMS,) if include_claims else ())):
        stepped = name in ("volumes", "latency")
        answers[name] = ask(name, **({"step_seconds": step_seconds} if stepped else {}))
    return Measures(claims, errors, step_seconds, first, last, answers)


def step_for(first: datetime | None, last: datetime | None) -> int:
    """Seconds of a step, so that no more than `MAX_STEPS` lead from the first row to the last."""
    if first is None or last is None:
        return STEPS_SECONDS[0]
    begin, end = int(first.timestamp()), int(last.timestamp())
    fitting = (each for each in STEPS_SECONDS if end // each - begin // each < MAX_STEPS)
    return next(fitting, (end - begin) // (MAX_STEPS - 1) + 1)


def steps(first: datetime, last: datetime, step_seconds: int) -> Iterable[datetime]:
    """The beginnings of the steps from the first row to the last, those without rows too."""
    begin = int(first.timestamp()) // step_seconds * step_seconds
    epoch = datetime(1970, 1, 1, tzinfo=UTC)  # fromtimestamp does not take every year everywhere
    at = epoch + timedelta(seconds=begin)
    while at <= last:
        yield at
        at += timedelta(seconds=step_seconds)


def _ends(claims: Row, errors: Row) -> tuple[datetime | None, datetime | None]:
    seen = [row[name] for row in (claims, errors) for name in ("first_seen", "last_seen")]
    known = [each for each in seen if each is not None]
    return (min(known), max(known)) if known else (None, None)


def _sql(name: str) -> str:
    path = analyst_queries.DIRECTORY / "report" / f"{name}.sql"
    try:
        return path.read_text()
    except FileNotFoundError:
        raise click.ClickException(
            f"{path} is missing; run the command in a checkout of the repository"
        ) from None


def _shown(row: Row) -> Row:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    return [_value(each) for each in value] if isinstance(value, list) else value

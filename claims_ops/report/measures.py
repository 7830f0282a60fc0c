"""Queries BigQuery for the figures of a report: aggregates, in a bounded number of rows.

The queries are those of `sql/report/`; the most rows come from the steps of providers
(`PROVIDERS` times `MAX_TREND_STEPS`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

import click

from claims_ops.report.text import shown
from claims_ops.shared import analyst_queries
from claims_ops.shared.claim_times import PROCESSING, placeholders
from claims_ops.shared.dispositions import LABEL, dispositions_of, judged_claims
from claims_ops.shared.queries import Queries, Value
from pipeline.claims.tables import TableName

Row = Mapping[str, Any]
"""A row of an answer, by column; its texts are `shown`."""

MAX_STEPS, MAX_TREND_STEPS = 60, 30
PROVIDERS = 15
"""As many as `sql/report/providers.sql` returns."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SECONDS = (1, 2, 5, 10, 30)
_MINUTES = (1 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE)
_HOURS = (1 * _HOUR, 4 * _HOUR, 12 * _HOUR)
_DAYS = (1 * _DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY)
STEPS_SECONDS = _SECONDS + _MINUTES + _HOURS + _DAYS
_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows are counted."""

    claims: TableName
    errors: TableName
    since: datetime | None = None
    """Rows at or after this, by the time `by`; None for all."""
    until: datetime | None = None
    """Rows before this."""
    by: str = PROCESSING
    """A key of `TIMES`."""
    provider: str | None = None
    """The only provider that the page is about."""

    @property
    def has_errors(self) -> bool:
        """Whether rejected messages count: they have a time of processing, and no other."""
        return self.by == PROCESSING and self.provider is None


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that stands out, or is asked for."""

    row: Row
    reasons: Sequence[Row]
    """Why its claims are risky, the most frequent reason first."""
    steps: Sequence[Row]
    """Its claims over time; steps without a claim are missing."""
    claims: Sequence[Row] | None
    """Its riskiest claims; None where they were not requested."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The answers, each by the name of its query."""

    claims_totals: Row
    error_totals: Row
    previous: Row | None
    """The totals of the period of the same length before; None where the range has no begin."""
    axis: str
    """The time that plots go by, a key of `TIMES`: that of service in a pure backfill."""
    step_seconds: int
    trend_seconds: int
    """The length of a step of a provider."""
    first_seen: datetime | None
    """The first row of either table; None when there is none."""
    last_seen: datetime | None
    axis_ends: tuple[datetime | None, datetime | None]
    """The first and the last time of the axis."""
    providers: Sequence[Provider]
    answers: Mapping[str, list[Row]]

    @property
    def claims(self) -> int:
        """Rows of the claims table."""
        return int(self.claims_totals["claims"])

    @property
    def current(self) -> int:
        """Current claims."""
        return int(self.claims_totals["current_claims"])

    @property
    def rejected(self) -> int:
        """Rows of the error table."""
        return int(self.error_totals["messages"])

    @property
    def repeated_rows(self) -> int:
        """Rows of either table whose message has another one there."""
        return int(self.claims_totals["repeated_rows"] + self.error_totals["repeated_rows"])

    @property
    def is_backfill(self) -> bool:
        """Whether no claim came from Pub/Sub, so that times of processing say nothing."""
        return bool(self.claims) and not self.claims_totals["streamed_claims"]


OF_CLAIMS = ("volumes", "amount_by_score", "rules_fired", "thresholds", "regions")
OF_PROCESSING = ("latency", "rejections", "rejection_errors", "violations")
"""Only by the time of processing."""
OF_PROVIDERS = ("providers", "provider_reasons", "provider_steps")
CLAIMS = "riskiest_claims"
"""The only query that returns claims."""
_NO_ERRORS = {"messages": 0, "repeated_rows": 0, "first_seen": None, "last_seen": None}


def measure(
    queries: Queries, scope: Scope, include_claims: bool = False, pages: bool = False
) -> Measures:
    """Ask all that a report needs; with `pages` what the page of each provider needs, too.

    Raises:
        click.ClickException: BigQuery does not answer, there is no `sql/`, or the provider of the
            scope has no claim.
    """
    asking = _Asking(queries, scope)
    given = {"since": scope.since or _EVER[0], "until": scope.until or _EVER[1]}
    claims, errors = asking.totals(given)
    first, last = _ends(claims, errors)
    previous = asking.previous(scope.since, scope.until or last)
    is_backfill = scope.by == PROCESSING and claims["claims"] and not claims["streamed_claims"]
    axis = "service_date" if is_backfill and claims["first_service"] else scope.by
    ends: tuple[datetime | None, datetime | None] = (first, last)
    if axis != scope.by:
        ends = (claims["first_service"], claims["last_service"])
    asking.axis(axis)
    step_seconds, trend_seconds = (step_for(*ends, most) for most in (MAX_STEPS, MAX_TREND_STEPS))
    if first and last:
        # Rows that come from now on would be in some answers only.
        given = {"since": first, "until": last + _MOMENT}
        given["middle"] = first + (last - first) / 2
    parameters = given | {"step_seconds": step_seconds}
    names = OF_CLAIMS if scope.provider is None else ()
    answers = {name: asking.ask(name, **parameters) for name in names}
    for name in OF_PROCESSING if scope.has_errors else ():
        answers[name] = asking.ask(name, **({"middle": _EVER[0]} | parameters))
    if include_claims:
        answers[CLAIMS] = asking.ask(CLAIMS, **parameters, provider=scope.provider or "")
    parameters = given | {"step_seconds": trend_seconds}
    providers = asking.providers(parameters, include_claims and pages)
    if scope.provider is not None and not providers:
        raise click.ClickException("the provider has no claims in this range")
    return Measures(
        claims,
        errors,
        previous,
        axis,
        step_seconds,
        trend_seconds,
        first,
        last,
        ends,
        providers,
        answers,
    )


class _Asking:
    """Asks the queries of a report, with their placeholders filled."""

    def __init__(self, queries: Queries, scope: Scope) -> None:
        self._queries, self._scope = queries, scope
        name, columns = scope.claims, queries.columns(scope.claims)
        self.has_view = queries.has(name._replace(table=f"{name.table}_current"))
        between = "_between`(@since, @until)" if scope.by == PROCESSING else "`"
        current = f"`{name}_current{between}" if self.has_view else f"`{name}`"
        self._columns = columns
        self._tables = {
            "CLAIMS_TABLE": str(name),
            "ERROR_TABLE": str(scope.errors),
            "CURRENT_CLAIMS": current,
            "JUDGED_CLAIMS": judged_claims(
                current, dispositions_of(queries, name), LABEL in columns
            ),
        }
        self.axis(scope.by)

    def axis(self, axis: str) -> None:
        """Have the queries over time go by this time."""
        self._tables |= placeholders(self._columns, self._scope.by, axis)

    def ask(self, name: str, **parameters: Value | Sequence[str]) -> list[Row]:
        """The answer to a query, with texts `shown`."""
        return list(map(_shown, self._raw(name, **parameters)))

    def totals(self, given: Mapping[str, Value]) -> tuple[Row, Row]:
        """Of claims, and of rejected messages."""
        (claims,), (current,) = (
            self.ask(name, **given) for name in ("claims_totals", "current_totals")
        )
        [errors] = self.ask("error_totals", **given) if self._scope.has_errors else [_NO_ERRORS]
        return {**claims, **current, "is_current": self.has_view}, errors

    def previous(self, since: datetime | None, until: datetime | None) -> Row | None:
        """The totals of the period before, of the same length; None where there is none."""
        if since is None or until is None or self._scope.provider is not None:
            return None
        if until <= since or since - _EVER[0] < until - since:
            return None
        claims, errors = self.totals({"since": since - (until - since), "until": since})
        return {**claims, "rejected": errors["messages"]}

    def providers(self, given: Mapping[str, Value], with_claims: bool) -> list[Provider]:
        """Those that stand out, or the one that is asked for."""
        rows = self._raw("providers", **given, provider=self._scope.provider or "")
        ids = [row["provider_id"] for row in rows]
        # Matched by their ids as they are: two may be shown alike.
        reasons, steps = (
            _by_provider(self._raw(name, **given, providers=ids)) if ids else {}
            for name in ("provider_reasons", "provider_steps")
        )
        return [
            Provider(
                _shown(row),
                reasons.get(each, []),
                steps.get(each, []),
                self.ask(CLAIMS, **given, provider=each) if with_claims else None,
            )
            for each, row in zip(ids, rows, strict=True)
        ]

    def _raw(self, name: str, **parameters: Value | Sequence[str]) -> list[Row]:
        sql = Template(_sql(name)).substitute(self._tables)
        return list(self._queries.read(self._queries.rows(sql, parameters)))


def step_for(first: datetime | None, last: datetime | None, most: int = MAX_STEPS) -> int:
    """Seconds of a step, so that no more than `most` lead from the first row to the last."""
    if first is None or last is None:
        return STEPS_SECONDS[0]
    begin, end = _seconds(first), _seconds(last)
    fitting = (each for each in STEPS_SECONDS if end // each - begin // each < most)
    return next(fitting, (end - begin) // (most - 1) + 1)


def steps(first: datetime, last: datetime, step_seconds: int) -> Iterable[datetime]:
    """The beginnings of the steps from the first row to the last, those without rows too."""
    begin = _seconds(first) // step_seconds * step_seconds
    at = _EVER[0] + timedelta(seconds=begin)  # fromtimestamp does not take every year everywhere
    while at <= last:
        yield at
        at += timedelta(seconds=step_seconds)


def _seconds(at: datetime) -> int:
    """Whole seconds since 1970; `timestamp` is a float, which rounds up in far years."""
    return (at - _EVER[0]) // timedelta(seconds=1)


def every_step(
    rows: Sequence[Row],
    ends: tuple[datetime | None, datetime | None],
    step_seconds: int,
    names: Sequence[str],
) -> list[Row]:
    """The rows by `step`, and a row of zeros by `names` for each step that has none."""
    if ends[0] is None or ends[1] is None:
        return []
    zeros = dict.fromkeys(names, 0)
    found: dict[Any, Row] = {at: {"step": at} | zeros for at in steps(*ends, step_seconds)}  # type: ignore[arg-type]
    found |= {row["step"]: row for row in rows}
    return [found[at] for at in sorted(found)]


def _by_provider(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["provider_id"], []).append(_shown(row))
    return found


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

"""Claims to be judged again, in batches: from the table, or from files through the front door."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click

from claims_ops.backtest.comparison import Batch, Comparison, Outcome
from claims_ops.backtest.stored_claims import StoredClaims
from claims_ops.shared.dispositions import LABEL, dispositions_of, judged_claims
from claims_ops.shared.message_files import Placed, batches
from claims_ops.shared.queries import EARLIEST, Queries
from pipeline.claims.age import with_ages
from pipeline.claims.columns import Rows, columns_of, filled
from pipeline.claims.contract import Contract
from pipeline.claims.stages import Stage, through
from pipeline.claims.tables import TableName, column_list

DAYS: Final = ("service_date", "submission_date", "processing_time")
_STORED: Final = ("fraud_risk_score", "high_risk_flag", "risk_reasons", "rules_version")
_FILES: Final = "reference_versions"
"""Older tables do not have it."""
_SHOWN: Final = ("claim_id", "provider_id", "claim_amount")
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)
_ROWS: Final = 2_000
"""Claims of a batch."""
_SHARES: Final = 1_000_000
"""Parts in which claims are sampled by a digest of their ids."""


@dataclass(frozen=True)
class Selection:
    """Which claims of a table."""

    table: TableName
    since: datetime | None = None
    """Rows written at or after this."""
    until: datetime | None = None
    sample_percent: float = 100
    """Always the same claims of a table for the same share."""


def stored(
    queries: Queries,
    selection: Selection,
    contract: Contract,
    read: frozenset[str],
    by: str,
    comparison: Comparison,
) -> Iterator[Batch]:
    """Current claims of a table with what it says of them.

    Args:
        queries: where the table is.
        selection: which claims.
        contract: that of the table.
        read: the columns that rules need; no others are read, for BigQuery bills them.
        by: the date that a claim counts for.
        comparison: gets the versions of the rules that scored the claims, and the names of the
            reference files.

    Raises:
        click.ClickException: BigQuery refuses, or the table is no claims table.
    """
    reader, table = StoredClaims(contract), selection.table
    columns = queries.columns(table)
    lacking = {*_SHOWN, *_STORED} - columns
    if lacking:
        raise click.ClickException(f"{table} is missing {column_list(sorted(lacking))}")
    wanted = {*_SHOWN, *read, by}
    names = [name for name in contract.blank if name in wanted & columns]
    names += {_FILES} & columns
    view = table._replace(table=f"{table.table}_current")
    source = (
        f"`{view}_between`(@since, @until)"
        if queries.has(view)
        else f"(SELECT * FROM `{table}`"  # noqa: S608 - a checked name
        " WHERE processing_timestamp >= @since AND processing_timestamp < @until)"
    )
    judged = judged_claims(source, dispositions_of(queries, table), LABEL in columns)
    sample = round(selection.sample_percent / 100 * _SHARES)
    sampled = (
        "" if sample >= _SHARES
        else f"WHERE ABS(MOD(FARM_FINGERPRINT(claim_id), {_SHARES})) < {sample}"
    )  # fmt: skip
    sql = (
        f"SELECT {', '.join((*names, *_STORED))}, is_improper, amount_recovered,"  # noqa: S608 - names of columns and checked names
        f" DATE(processing_timestamp) AS processing_time FROM {judged} {sampled}"
    )
    bounds = {"since": selection.since or EARLIEST, "until": selection.until or _LATEST}
    for rows in queries.columns_of(sql, bounds, _ROWS):
        claims = reader.claims(rows)
        comparison.rules_versions.update(version or "unknown" for version in rows["rules_version"])
        comparison.scored_with.update(map(_names, rows.get(_FILES, ())))
        yield Batch(
            claims,
            [day and day.isoformat() for day in rows[by]] if by in rows else [None] * len(rows[by]),
            rows["is_improper"],
            rows["amount_recovered"],
            Outcome(
                [score or 0.0 for score in rows["fraud_risk_score"]],
                list(map(bool, rows["high_risk_flag"])),
                [reasons or () for reasons in rows["risk_reasons"]],
            ),
        )


def _names(versions: Sequence[str] | None) -> tuple[str, ...]:
    """Of `name=version` the names; a file that was missing has no version."""
    pairs = (each.partition("=") for each in versions or ())
    return tuple(name for name, _, version in pairs if version)


def of_files(
    placed: Iterable[Placed], stages: Sequence[Stage], contract: Contract, by: str,
    counts: Counter[str],
) -> Iterator[Batch]:  # fmt: skip
    """Claims of messages that are accepted; `counts` gets messages and rejected ones.

    Args:
        placed: the messages.
        stages: those up to validation.
        contract: that of the stages.
        by: the date that a claim counts for.
        counts: filled.
    """
    for some in batches(placed, _ROWS):
        decided = through(stages, [each.message for each in some])
        counts["messages"] += len(some)
        counts["rejected"] += len(decided.rejected)
        claims, size = decided.outcomes, len(decided.messages)
        if not size:
            continue
        columns = claims.columns if isinstance(claims, Rows) else columns_of(claims, contract.blank)
        found = filled(columns, contract.blank, size)
        blank = [None] * size
        labels = found.get(LABEL, blank)
        yield Batch(
            {**found, **with_ages(found)},
            found.get(by, blank),
            [None if label is None else label == 1 for label in labels],
            blank,
            None,
        )

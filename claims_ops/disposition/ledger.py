"""The table of dispositions, which rows are only appended to."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from claims_ops.disposition.decision import Decision
from claims_ops.shared.dispositions import DISPOSITIONS_TABLE, dispositions_name
from claims_ops.shared.queries import Queries, Value
from pipeline.claims.tables import TableName

_BATCH = 1_000
"""Decisions in a statement."""


class Ledger:
    """Appends decisions, by INSERT statements: they count as soon as the command ends."""

    def __init__(self, queries: Queries, claims: TableName) -> None:
        """`claims` is the claims table that the decisions are about."""
        self._queries = queries
        self._claims = claims

    def unknown(self, decisions: Sequence[Decision]) -> list[int]:
        """The places of the decisions about claims that the table does not have.

        Raises:
            click.ClickException: BigQuery refuses.
        """
        sql = f"""
            SELECT DISTINCT claim_id FROM `{self._claims}`
            WHERE processing_timestamp >= '1970-01-01' AND claim_id IN UNNEST(@ids)
            """  # noqa: S608 - a checked name
        known: set[str] = set()
        for some in _batches(decisions):
            rows = self._queries.rows(sql, {"ids": [each.claim_id for each in some]})
            known.update(row["claim_id"] for row in self._queries.read(rows))
        return [place for place, each in enumerate(decisions) if each.claim_id not in known]

    def append(self, decisions: Sequence[Decision], now: datetime) -> None:
        """Write the decisions; the table is created where it is missing.

        Raises:
            click.ClickException: BigQuery refuses.
        """
        table = dispositions_name(self._claims)
        self._queries.ensure(table, DISPOSITIONS_TABLE)
        # A record of a parameter has no NULL: an empty text stands for one.
        sql = f"""
            INSERT INTO `{table}` (claim_id, outcome, amount_recovered, reviewer, reviewed_at,
              recorded_at, note)
            SELECT made.claim_id, made.outcome, CAST(NULLIF(made.amount_recovered, '') AS NUMERIC),
              NULLIF(made.reviewer, ''), made.reviewed_at, @now, NULLIF(made.note, '')
            FROM UNNEST(@decisions) AS made"""  # noqa: S608 - a checked name
        for some in _batches(decisions):
            self._queries.rows(sql, {"now": now, "decisions": [_record(each) for each in some]})


def _batches(decisions: Sequence[Decision]) -> Iterator[Sequence[Decision]]:
    for start in range(0, len(decisions), _BATCH):
        yield decisions[start : start + _BATCH]


def _record(made: Decision) -> dict[str, Value]:
    amount = made.amount_recovered
    return {
        "claim_id": made.claim_id,
        "outcome": made.outcome,
        "amount_recovered": "" if amount is None else f"{amount:f}",
        "reviewer": made.reviewer or "",
        "reviewed_at": made.reviewed_at,
        "note": made.note or "",
    }

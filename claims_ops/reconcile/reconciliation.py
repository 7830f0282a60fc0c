"""Compares messages in with rows out, by message id: which are missing, which came twice."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from claims_ops.shared.message_counts import MessageCounts
from claims_ops.shared.queries import EARLIEST, Parameters, Queries
from claims_ops.shared.replays import replays_name
from pipeline.claims.tables import TableName

IDS_A_QUERY = 10_000
MISSING_SHOWN = 20
_PUBLISHED = "original_message_id IS NULL AND publish_time IS NOT NULL"
_AMONG = r"COALESCE(original_message_id, message_id) IN UNNEST(SPLIT(@ids, '\n'))"
"""By a replay too: the row of its original may have expired with `error_retention_days`."""


class Figures(NamedTuple):
    """What became of messages. A message and its replays are one message here."""

    claims: int = 0
    """Messages of which every claim is in the claims table, perhaps after a replay."""
    errors: int = 0
    """Other messages that have a row for each of their claims."""
    twice_in_claims: int = 0
    """Rows of the claims table beyond the first one of their message id and claim index."""
    twice_in_errors: int = 0
    """The same of the error table."""
    in_both: int = 0
    """Message ids, or claims of one, in both tables."""
    accepted_twice: int = 0
    """Messages, or claims of one, of which the original and a replay, or two replays, are in the
    claims table."""
    replays: int = 0
    """Replays that are on record."""
    replays_missing: int = 0
    """Those of them without a row."""
    replays_unrecorded: int = 0
    """Replays that have rows and are not on record: `claims replay` was killed."""
    split: int = 0
    """Messages that hold several claims."""
    split_claims: int = 0
    """Of the claims in them, those in the claims table."""
    split_errors: int = 0
    """Those in the error table only."""

    def plus(self, other: "Figures") -> "Figures":
        """The figures of both."""
        return Figures(*map(sum, zip(self, other, strict=True)))

    @property
    def duplicates(self) -> int:
        """Rows and messages that came more than once."""
        twice = self.twice_in_claims + self.twice_in_errors
        return twice + self.in_both + self.accepted_twice


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The outcome."""

    balance: MessageCounts
    figures: Figures
    missing: tuple[str, ...] = ()
    """The first ids without a row, where ids were given."""

    @property
    def closes(self) -> bool:
        """Whether every message has a row, every replay too, and there are none besides."""
        return self.balance.closes and not self.figures.replays_missing


class Books:
    """The two tables and the record of replays, for one range of time."""

    def __init__(
        self,
        queries: Queries,
        claims: TableName,
        errors: TableName,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        """Messages whose rows were made from `since` on and before `until`; replays whenever."""
        self._queries = queries
        bounds = {"earliest": EARLIEST, "since": since or EARLIEST, "until": until}
        self._parameters: Parameters = {name: at for name, at in bounds.items() if at}
        record = replays_name(errors)
        split = [name for name in (claims, errors) if "claim_index" in queries.columns(name)]
        self._sql = _sql(claims, errors, record if queries.has(record) else None, until, split)

    def by_count(self, published: int) -> Reconciliation:
        """All messages of Pub/Sub, against how many were published."""
        figures = self._figures(_PUBLISHED, self._parameters)
        return Reconciliation(MessageCounts(published, figures.claims, figures.errors), figures)

    def by_ids(self, ids: Iterable[str]) -> Reconciliation:
        """The messages of these ids, each of them once."""
        figures, published, missing = Figures(), 0, list[str]()
        for some in _batches(ids):
            parameters = {**self._parameters, "ids": "\n".join(some)}
            found = self._figures(_AMONG, parameters)
            if len(missing) < MISSING_SHOWN and found.claims + found.errors < len(some):
                missing += self._missing(some, parameters)
            figures, published = figures.plus(found), published + len(some)
        balance = MessageCounts(published, figures.claims, figures.errors)
        return Reconciliation(balance, figures, tuple(missing[:MISSING_SHOWN]))

    def _figures(self, condition: str, parameters: Parameters) -> Figures:
        rows = self._queries.rows(self._sql.format(condition=condition) + _FIGURES, parameters)
        return Figures(*(value or 0 for row in self._queries.read(rows) for value in row.values()))

    def _missing(self, ids: Sequence[str], parameters: Parameters) -> list[str]:
        complete = "SELECT id FROM originals WHERE found >= expected"
        sql = self._sql.format(condition=_AMONG) + complete
        found = {row["id"] for row in self._queries.read(self._queries.rows(sql, parameters))}
        return [each for each in ids if each not in found]


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, IDS_A_QUERY)):
        yield some


def _sql(
    claims: TableName,
    errors: TableName,
    record: TableName | None,
    until: datetime | None,
    split: Collection[TableName],
) -> str:
    """CTEs; `{condition}` is to tell which messages are meant.

    parts: a claim of a message that came in, and how many ids of it are in the claims table.
    originals: such a message; of how many claims it consists, has rows, and is accepted.
    written: an id of such a message, and how many rows of each table it has.
    recorded: a replay of such a message that is on record.

    `split` are the tables that can tell the claims of one message apart.
    """

    def rows(table: TableName, timestamp: str, counted: str) -> str:
        bounds = [f"{timestamp} >= @since"]
        # A replay belongs to its original, however late it is.
        bounds += [f"({timestamp} < @until OR original_message_id IS NOT NULL)"] if until else []
        part = "claim_index, claims_in_message"
        if table not in split:
            part = "CAST(NULL AS INT64) AS claim_index, CAST(NULL AS INT64) AS claims_in_message"
        return f"""
              SELECT message_id, original_message_id, {part}, publish_time, {counted} FROM `{table}`
              WHERE {" AND ".join(["message_id IS NOT NULL", *bounds])}"""  # noqa: S608 - as below

    recorded = f"`{record}` AS record" if record else "(SELECT '' AS original_message_id, '' AS"
    recorded += "" if record else " replayed_message_id FROM UNNEST([1]) WHERE FALSE) AS record"
    on_record = "WHERE record.replay_timestamp >= @earliest" if record else ""
    return f"""
        WITH ids AS (
          SELECT message_id, original_message_id, claim_index, MAX(claims_in_message) AS claims_in,
            LOGICAL_OR({{condition}}) AS is_meant,
            SUM(claims) AS claims, SUM(errors) AS errors
          FROM ({rows(claims, "processing_timestamp", "1 AS claims, 0 AS errors")}
            UNION ALL {rows(errors, "error_timestamp", "0 AS claims, 1 AS errors")})
          GROUP BY message_id, original_message_id, claim_index
        ),
        parts AS (
          SELECT COALESCE(original_message_id, message_id) AS id, claim_index,
            MAX(claims_in) AS claims_in, COUNTIF(claims > 0) AS accepted,
            LOGICAL_OR(is_meant) AS is_meant
          FROM ids GROUP BY id, claim_index
        ),
        originals AS (
          SELECT id, COALESCE(MAX(claims_in), 1) AS expected,
            -- The row of a message that was rejected as a whole and then replayed is no claim.
            IF(MAX(claims_in) IS NULL, 1, COUNTIF(claim_index IS NOT NULL)) AS found,
            COUNTIF(accepted > 0) AS accepted,
            SUM(GREATEST(accepted - 1, 0)) AS accepted_twice
          FROM parts GROUP BY id HAVING LOGICAL_OR(is_meant)
        ),
        written AS (
          SELECT ids.* FROM ids
          JOIN originals ON originals.id = COALESCE(ids.original_message_id, ids.message_id)
        ),
        recorded AS (
          SELECT DISTINCT replayed_message_id AS id FROM {recorded}
          JOIN originals ON originals.id = record.original_message_id {on_record}
        )
        """  # noqa: S608 - checked names; every value is a parameter


_FIGURES = """
SELECT
  (SELECT COUNTIF(accepted >= expected) FROM originals),
  (SELECT COUNTIF(found >= expected AND accepted < expected) FROM originals),
  (SELECT SUM(GREATEST(claims - 1, 0)) FROM written),
  (SELECT SUM(GREATEST(errors - 1, 0)) FROM written),
  (SELECT COUNTIF(claims > 0 AND errors > 0) FROM written),
  (SELECT SUM(accepted_twice) FROM originals),
  (SELECT COUNT(*) FROM recorded),
  (SELECT COUNT(*) FROM recorded WHERE id NOT IN (SELECT message_id FROM written)),
  (SELECT COUNT(DISTINCT message_id) FROM written
   WHERE original_message_id IS NOT NULL AND message_id NOT IN (SELECT id FROM recorded)),
  (SELECT COUNTIF(expected > 1) FROM originals),
  (SELECT SUM(IF(expected > 1, accepted, 0)) FROM originals),
  (SELECT SUM(IF(expected > 1, found - accepted, 0)) FROM originals)
"""

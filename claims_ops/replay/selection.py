"""Selects in BigQuery which messages of the error table to replay, and why not the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import click

from claims_ops.replay.message import COLUMNS, MAX_REQUEST_BYTES
from claims_ops.shared.queries import EARLIEST, Queries, Value
from pipeline.claims.tables import TableName, column_list

READY = "ready"
OUTCOMES = {
    READY: "to replay",
    "replayed": "already replayed",
    "exhausted": "replay limit reached",
    "truncated": "truncated",
    "redacted": "redacted",
    "too_large": "too large",
    "no_id": "without an ID",
    "damaged": "damaged",
    "refused": "refused by Pub/Sub",
}
"""What can become of a message, in words for people; the last two appear on replay only."""
_JUDGED_BY = {
    "message_id": "STRING",
    "original_message_id": "STRING",
    "replay_count": "INT64",
    "raw_encoding": "STRING",
    "raw_size": "INT64",
    "claim_index": "INT64",
    "claims_in_message": "INT64",
    "map_version": "STRING",
}
"""Columns that decide, with their types; null where a table of an early version lacks them."""
_PAGE_ROWS = 200
"""Rows of up to 8 MB; the service cuts its pages by bytes besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an operator asks for. Empty means: all."""

    stages: tuple[str, ...] = ()
    error_codes: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    """Of the row itself, or of the original message."""
    since: datetime | None = None
    """`error_timestamp` at or after this."""
    until: datetime | None = None
    """`error_timestamp` before this."""
    max_replays: int = 1
    again: bool = False
    """Also what was replayed already and has not failed again."""

    @property
    def names_messages(self) -> bool:
        """Whether it says more of messages than when they were rejected."""
        return bool(self.stages or self.error_codes or self.message_ids)

    def conditions(self) -> tuple[str, dict[str, Value | tuple[str, ...]]]:
        """A WHERE clause for rows of the error table, and its parameters."""
        clauses: dict[str, tuple[str, Value | tuple[str, ...] | None]] = {
            "stages": ("stage IN UNNEST(@stages)", self.stages),
            "error_codes": ("error_code IN UNNEST(@error_codes)", self.error_codes),
            "message_ids": (
                "(message_id IN UNNEST(@message_ids)"
                " OR original_message_id IN UNNEST(@message_ids))",
                self.message_ids,
            ),
            "since": ("error_timestamp >= @since", self.since or EARLIEST),
            "until": ("error_timestamp < @until", self.until),
        }
        given = {name: clause for name, clause in clauses.items() if clause[1]}
        wanted = [sql for sql, _ in given.values()]
        return " AND ".join(wanted), {name: value for name, (_, value) in given.items() if value}


class Count(NamedTuple):
    """Messages of one kind."""

    stage: str
    error_code: str
    outcome: str
    """A key of `OUTCOMES`."""
    messages: int


class ErrorTable:
    """The messages of an error table, each by its newest row."""

    def __init__(
        self, queries: Queries, errors: TableName, replays: TableName | None, selection: Selection
    ) -> None:
        """`replays` is the record of replays; None where there is none yet.

        Raises:
            click.ClickException: there is no such table.
            click.UsageError: it is none of errors.
        """
        self._queries = queries
        self._columns = queries.columns(errors)
        if not self._columns:
            raise click.ClickException(f"table {errors} does not exist")
        if missing := {"stage", "error_code", "error_timestamp"} - self._columns:
            raise click.UsageError(
                f"--error-table: {errors} is not an error table: it has no"
                f" {column_list(sorted(missing))}"
            )
        lacking = [name for name in _JUDGED_BY if name not in self._columns]
        nulls = "".join(f", CAST(NULL AS {_JUDGED_BY[name]}) AS {name}" for name in lacking)
        where, self._parameters = selection.conditions()
        self._parameters |= {
            "max_replays": selection.max_replays,
            "again": selection.again,
            "max_bytes": MAX_REQUEST_BYTES,
            "earliest": EARLIEST,
        }
        recorded = (
            f"FROM `{replays}` WHERE replay_timestamp >= @earliest"
            if replays
            else "FROM (SELECT '' AS id, 0 AS n) WHERE FALSE"
        )
        names = ("original_message_id", "MAX(replay_count)") if replays else ("id", "MAX(n)")
        is_split = replays is not None and "claim_index" in queries.columns(replays)
        part = "COALESCE(claim_index, -1)"
        recorded_part = part if is_split else "-1"
        # A message that came twice has two rows, and one that failed again has a newer one.
        self._messages = f"""
            WITH messages AS (
              SELECT *, COALESCE(original_message_id, message_id) AS origin
              FROM (SELECT *{nulls} FROM `{errors}` WHERE error_timestamp >= @since)
              WHERE {where}
              QUALIFY ROW_NUMBER() OVER (
                PARTITION BY COALESCE(original_message_id, message_id, GENERATE_UUID()), {part}
                ORDER BY COALESCE(replay_count, 0) DESC, error_timestamp DESC
              ) = 1
            ),
            recorded AS (
              SELECT {names[0]} AS origin, {recorded_part} AS part, {names[1]} AS replays
              {recorded} GROUP BY 1, 2
            ),
            judged AS (
              SELECT
                messages.*,
                CASE
                  WHEN message_id IS NULL THEN 'no_id'
                  WHEN COALESCE(replay_count, 0) < recorded.replays AND NOT @again THEN 'replayed'
                  WHEN COALESCE(replay_count, 0) >= @max_replays THEN 'exhausted'
                  WHEN raw_encoding IN ('truncated', 'redacted') THEN raw_encoding
                  WHEN raw_size > @max_bytes THEN 'too_large'
                  ELSE '{READY}'
                END AS outcome
              FROM messages
              LEFT JOIN recorded
              ON messages.origin = recorded.origin AND {part} = recorded.part
            )"""  # noqa: S608 - checked names; every value is a parameter

    def counts(self) -> list[Count]:
        """How many messages there are, by cause and by what becomes of them; most first."""
        sql = f"""{self._messages}
            SELECT stage, error_code, outcome, COUNT(*) AS messages FROM judged
            GROUP BY stage, error_code, outcome
            ORDER BY messages DESC, stage, error_code, outcome"""  # noqa: S608 - as above
        rows = self._queries.rows(sql, self._parameters)
        return [Count(*row.values()) for row in self._queries.read(rows)]

    def ready(self, limit: int | None) -> Iterator[Mapping[str, Any]]:
        """The rows to replay, with the columns of `COLUMNS`; with a limit, the oldest first."""
        present = self._columns.union(_JUDGED_BY)
        columns = ", ".join(name for name in COLUMNS if name in present)
        sql = f"{self._messages} SELECT {columns} FROM judged WHERE outcome = '{READY}'"  # noqa: S608 - as above
        if limit is not None:
            sql += " ORDER BY error_timestamp, message_id, claim_index LIMIT @limit"
        parameters = self._parameters | ({"limit": limit} if limit is not None else {})
        return self._queries.read(self._queries.rows(sql, parameters, _PAGE_ROWS))

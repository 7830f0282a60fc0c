"""The record of replays: which message was published again, when, and as which one.

It lies beside the error table, as `<error table>_replays`. A batch is recorded as soon as Pub/Sub
has confirmed it: what is recorded is not published again, and what a crash leaves unrecorded, one
batch at most, is.
"""

from collections.abc import Sequence
from datetime import datetime

import click

from claims_ops.replay.message import Replay
from claims_ops.shared.queries import Parameters, Queries, Value
from claims_ops.shared.replays import REPLAYS_TABLE
from pipeline.claims.tables import TableName


class ReplayRecord:
    """Writes the record.

    By INSERT statements: rows that are streamed into a new table may be lost for some minutes.
    """

    def __init__(self, queries: Queries, name: TableName, topic: str) -> None:
        """Create the table where it is missing.

        Raises:
            click.ClickException: BigQuery refuses.
        """
        queries.ensure(name, REPLAYS_TABLE)
        self._queries = queries
        self._name = name
        self._topic = topic
        self._sql = f"""
            INSERT INTO `{name}` (replay_timestamp, topic, original_message_id, message_id,
              replayed_message_id, replay_count, stage, error_code, claim_index)
            SELECT @now, @topic, replay.original_message_id, replay.message_id,
              replay.replayed_message_id, replay.replay_count, replay.stage, replay.error_code,
              NULLIF(replay.claim_index, -1)
            FROM UNNEST(@replays) AS replay"""  # noqa: S608 - a checked name; every value is a parameter

    def add(self, replays: Sequence[Replay], new_ids: Sequence[str], now: datetime) -> None:
        """Record that these were published, each under the new id beside it.

        Raises:
            click.ClickException: BigQuery does not take it.
        """
        rows: list[dict[str, Value]] = [
            {
                "original_message_id": replay.original_message_id,
                "message_id": replay.message_id,
                "replayed_message_id": new_id,
                "replay_count": replay.replay_count,
                "stage": replay.stage,
                "error_code": replay.error_code,
                "claim_index": -1 if replay.claim_index is None else replay.claim_index,
            }
            for replay, new_id in zip(replays, new_ids, strict=True)
        ]
        parameters: Parameters = {"now": now, "topic": self._topic, "replays": rows}
        written = self._queries.rows(self._sql, parameters).num_dml_affected_rows
        if written != len(rows):
            raise click.ClickException(f"{self._name} accepted only {written} of {len(rows)} rows")

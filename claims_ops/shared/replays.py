"""The table that records replays: beside an error table, as `<error table>_replays`."""

from pipeline.claims.tables import Table, TableName, column

_COLUMNS = (
    column("replay_timestamp TIMESTAMP REQUIRED", "When the replay was published."),
    column("original_message_id STRING REQUIRED", "ID of the original message."),
    column("message_id STRING REQUIRED", "Message ID of the replayed row."),
    column("replayed_message_id STRING REQUIRED", "Message ID of the replay."),
    column("replay_count INTEGER REQUIRED", "1 for the first replay of the message."),
    column("stage STRING REQUIRED", "Step that rejected the message."),
    column("error_code STRING REQUIRED", "Why the message was rejected."),
    column("topic STRING REQUIRED", "Topic the replay was published to."),
    column("claim_index INTEGER", "Position in a message with several claims."),
)

REPLAYS_TABLE = Table(
    _COLUMNS,
    "replay_timestamp",
    ("original_message_id",),
    "Messages replayed from the error table. Contains no PHI.",
)


def replays_name(errors: TableName) -> TableName:
    """The name of the record of replays that lies beside an error table."""
    return errors._replace(table=f"{errors.table}_replays")

"""The tables: their names, columns, partitioning and clustering."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from pipeline.claims.contract import Column, Contract

PROJECT_PATTERN = r"([a-z0-9-]+(\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
"""A project id, with the domain of a domain-scoped one."""
# 1 to 1024 characters, in two parts: RE2, which checks the parameters, repeats no more than 1000.
_DATASET = "[A-Za-z0-9_]{1,24}[A-Za-z0-9_]{0,1000}"
_TABLE = "[A-Za-z0-9_-]{1,24}[A-Za-z0-9_-]{0,1000}"
TABLE_PATTERN = rf"{PROJECT_PATTERN}[:.]{_DATASET}\.{_TABLE}"
"""A table as `project:dataset.table` or `project.dataset.table`, for the engines of a launch
parameter (`pipeline/launch/parameter.py`), whose groups have no names."""

_ORIGIN = (
    Column(
        "message_id", "STRING", description="ID of the Pub/Sub message, or file#version:offset."
    ),
    Column(
        "original_message_id", "STRING", description="For a replay, the ID of the original message."
    ),
    Column(
        "publish_time", "TIMESTAMP", description="When the message was first published to Pub/Sub."
    ),
    Column(
        "claim_index",
        "INTEGER",
        description="Position in a message with several claims, from 0.",
    ),
    Column(
        "claims_in_message",
        "INTEGER",
        description="How many claims the message holds, including rejected ones.",
    ),
    Column("map_version", "STRING", description="Digest of the claim map, if one was used."),
)

CLAIM_OUTCOME = (
    Column("days_to_submission", "INTEGER", description="Days from service to submission."),
    Column(
        "fraud_risk_score",
        "FLOAT",
        description="Fraud risk from 0 to 1, the sum of the rule weights.",
    ),
    Column("high_risk_flag", "BOOLEAN", description="Whether the score is above the threshold."),
    Column("risk_reasons", "STRING", "REPEATED", "IDs of the risk rules that fired."),
    Column("risk_evidence", "STRING", "REPEATED", "The signals and limits behind each reason."),
    Column("quality_issues", "STRING", "REPEATED", "IDs of the quality rules that fired."),
    Column("additional_fields", "JSON", description="Fields that are not in the contract."),
    *_ORIGIN,
    Column("processing_timestamp", "TIMESTAMP", "REQUIRED", "When the pipeline scored the claim."),
    Column("contract_version", "STRING", description="Version of the claim schema."),
    Column("rules_version", "STRING", description="Version of the rules."),
    Column(
        "reference_versions",
        "STRING",
        "REPEATED",
        "Reference files in use, as name=version; no version if the file was missing.",
    ),
    Column("pipeline_version", "STRING", description="Version of this package."),
)
"""What the pipeline adds to the contract's columns."""

ERROR_COLUMNS = (
    Column("error_timestamp", "TIMESTAMP", "REQUIRED", "When the message was rejected."),
    Column("stage", "STRING", "REQUIRED", "The step that rejected it."),
    Column("error_code", "STRING", "REQUIRED", "Stable name of the cause."),
    Column("error", "STRING", "REQUIRED", "The cause in one line, without claim values."),
    Column(
        "violations",
        "RECORD",
        "REPEATED",
        "Contract rules that the message violates.",
        (
            Column(
                "field", "STRING", description="Path of the field; empty for the whole message."
            ),
            Column(
                "rule",
                "STRING",
                description="JSON Schema keyword, or one of the pipeline's own rules.",
            ),
            Column("message", "STRING", description="The violation in words."),
        ),
    ),
    Column("claim_id", "STRING", description="ID of the claim, if it could be read."),
    Column("raw_message", "STRING", description="The message, if it is text of at most 1 MiB."),
    Column("raw_bytes", "BYTES", description="The message, if it is not in raw_message."),
    Column("raw_encoding", "STRING", description="identity, gzip, truncated or redacted."),
    Column("raw_size", "INTEGER", description="Size of the original message in bytes."),
    *_ORIGIN,
    Column(
        "attributes",
        "RECORD",
        "REPEATED",
        "Pub/Sub message attributes.",
        (
            Column("key", "STRING", description="Attribute name."),
            Column("value", "STRING", description="Attribute value."),
        ),
    ),
    Column("replay_count", "INTEGER", description="How many times the message was replayed."),
    Column("contract_version", "STRING", description="Version of the claim schema."),
    Column("pipeline_version", "STRING", description="Version of this package."),
)

REPLAY_COLUMNS = (
    Column("replay_timestamp", "TIMESTAMP", "REQUIRED", "When the replay was published."),
    Column("original_message_id", "STRING", "REQUIRED", "ID of the original message."),
    Column("message_id", "STRING", "REQUIRED", "Message ID of the replayed row."),
    Column("replayed_message_id", "STRING", "REQUIRED", "Message ID of the replay."),
    Column("replay_count", "INTEGER", "REQUIRED", "1 for the first replay of the message."),
    Column("stage", "STRING", "REQUIRED", "Step that rejected the message."),
    Column("error_code", "STRING", "REQUIRED", "Why the message was rejected."),
    Column("topic", "STRING", "REQUIRED", "Topic the replay was published to."),
    Column("claim_index", "INTEGER", description="Position in a message with several claims."),
)

DISPOSITION_COLUMNS = (
    Column("claim_id", "STRING", "REQUIRED", "Claim ID, as in the claims table."),
    Column(
        "outcome",
        "STRING",
        "REQUIRED",
        "confirmed_fraud, improper_payment, proper, undetermined or under_review.",
    ),
    Column("amount_recovered", "NUMERIC", description="Money recovered or not paid out."),
    Column("reviewer", "STRING", description="Pseudonym or team of the reviewer."),
    Column(
        "reviewed_at",
        "TIMESTAMP",
        "REQUIRED",
        "When the reviewer decided; the newest decision counts.",
    ),
    Column("recorded_at", "TIMESTAMP", description="When the row was written."),
    Column("note", "STRING", description="Free text; may contain health data."),
)


class TableName(NamedTuple):
    """A table by its full name; as text `project.dataset.table`."""

    project: str
    dataset: str
    table: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """A name of either notation, `project:dataset.table` or `project.dataset.table`.

        Raises:
            ValueError: it is neither.
        """
        if not re.fullmatch(TABLE_PATTERN, text):
            raise ValueError("expected project:dataset.table or project.dataset.table")
        rest, _, table = text.rpartition(".")
        dataset = re.split("[:.]", rest)[-1]
        return cls(rest[: -len(dataset) - 1], dataset, table)

    def __str__(self) -> str:
        return ".".join(self)


@dataclass(frozen=True, slots=True)
class Table:
    """What a table must look like to take our rows."""

    columns: tuple[Column, ...]
    partition_column: str
    clustering: tuple[str, ...]
    description: str


def claims_table(contract: Contract) -> Table:
    """The table of accepted claims: the contract's columns and what the pipeline adds."""
    return Table(
        (*contract.columns, *CLAIM_OUTCOME),
        "processing_timestamp",
        ("provider_id", "high_risk_flag", "claim_id"),
        "Healthcare claims with fraud risk scores and reasons.",
    )


def errors_table() -> Table:
    """The table of rejected messages."""
    return Table(
        ERROR_COLUMNS,
        "error_timestamp",
        ("stage", "error_code"),
        "Messages that did not become claims, stored for replay. Contains PHI.",
    )


def column_list(names: Sequence[str]) -> str:
    """`column a`, or `columns a, b`, for messages."""
    return f"column{'s' * (len(names) != 1)} {', '.join(names)}"


def replays_name(errors: TableName) -> TableName:
    """The name of the record of replays that lies beside an error table."""
    return errors._replace(table=f"{errors.table}_replays")


def replays_table() -> Table:
    """The record of what `claims replay` has published."""
    return Table(
        REPLAY_COLUMNS,
        "replay_timestamp",
        ("original_message_id",),
        "Messages replayed from the error table. Contains no PHI.",
    )


def dispositions_name(claims: TableName) -> TableName:
    """The name of the table of dispositions that lies beside a claims table."""
    return claims._replace(table=f"{claims.table}_dispositions")


def dispositions_table() -> Table:
    """What reviewers decided about claims."""
    return Table(
        DISPOSITION_COLUMNS,
        "reviewed_at",
        ("claim_id",),
        "Reviewers' decisions about claims; append-only, the newest decision on a claim counts.",
    )

"""The tables: their names, columns, partitioning and clustering."""

import re
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
    Column("message_id", "STRING", description="Id of the Pub/Sub message; file#version:offset."),
    Column("original_message_id", "STRING", description="Of a replay: the id it had at first."),
    Column("publish_time", "TIMESTAMP", description="When Pub/Sub first took the message."),
    Column(
        "claim_index",
        "INTEGER",
        description="Which of several claims in one message, from 0; else NULL.",
    ),
    Column("claims_in_message", "INTEGER", description="How many these are, rejected ones too."),
    Column("map_version", "STRING", description="Digest of the claim map; NULL without one."),
)

CLAIM_OUTCOME = (
    Column("days_to_submission", "INTEGER", description="Days from service to submission."),
    Column("fraud_risk_score", "FLOAT", description="Fraud risk, 0 to 1: sum of the weights."),
    Column("high_risk_flag", "BOOLEAN", description="Whether the score is above the threshold."),
    Column("risk_reasons", "STRING", "REPEATED", "Ids of the risk rules that fired."),
    Column("risk_evidence", "STRING", "REPEATED", "What each reason stands on: signals, limits."),
    Column("quality_issues", "STRING", "REPEATED", "Ids of the quality rules that fired."),
    Column("additional_fields", "JSON", description="Fields that the contract does not know."),
    *_ORIGIN,
    Column("processing_timestamp", "TIMESTAMP", "REQUIRED", "When the pipeline scored the claim."),
    Column("contract_version", "STRING", description="Version of the claim schema."),
    Column("rules_version", "STRING", description="Version of the rules."),
    Column(
        "reference_versions",
        "STRING",
        "REPEATED",
        "Reference files in use, as name=version; a file without one was not there.",
    ),
    Column("pipeline_version", "STRING", description="Version of this package."),
)
"""What the pipeline adds to the contract's columns."""

ERROR_COLUMNS = (
    Column("error_timestamp", "TIMESTAMP", "REQUIRED", "When the message was rejected."),
    Column("stage", "STRING", "REQUIRED", "The step that rejected it."),
    Column("error_code", "STRING", "REQUIRED", "Stable name of the cause."),
    Column("error", "STRING", "REQUIRED", "The cause in one line, free of values."),
    Column(
        "violations",
        "RECORD",
        "REPEATED",
        "Every rule of the contract that the message breaks.",
        (
            Column(
                "field", "STRING", description="Path of the field; empty for the whole message."
            ),
            Column("rule", "STRING", description="JSON Schema keyword, or a rule of our own."),
            Column("message", "STRING", description="What the rule asks, in words."),
        ),
    ),
    Column("claim_id", "STRING", description="Id of the claim, where one could be read."),
    Column("raw_message", "STRING", description="The message, if it is text of at most 1 MiB."),
    Column("raw_bytes", "BYTES", description="The message otherwise."),
    Column("raw_encoding", "STRING", description="identity, gzip, truncated or redacted."),
    Column("raw_size", "INTEGER", description="Bytes of the original message."),
    *_ORIGIN,
    Column(
        "attributes",
        "RECORD",
        "REPEATED",
        "Attributes of the Pub/Sub message.",
        (
            Column("key", "STRING", description="Name of the attribute."),
            Column("value", "STRING", description="Its value."),
        ),
    ),
    Column("replay_count", "INTEGER", description="How often the message was replayed."),
    Column("contract_version", "STRING", description="Version of the claim schema."),
    Column("pipeline_version", "STRING", description="Version of this package."),
)

REPLAY_COLUMNS = (
    Column("replay_timestamp", "TIMESTAMP", "REQUIRED", "When the message was published again."),
    Column("original_message_id", "STRING", "REQUIRED", "The id that the message had at first."),
    Column("message_id", "STRING", "REQUIRED", "Its id in the row that was replayed."),
    Column("replayed_message_id", "STRING", "REQUIRED", "The id that Pub/Sub gave the replay."),
    Column("replay_count", "INTEGER", "REQUIRED", "1 for the first replay of the message."),
    Column("stage", "STRING", "REQUIRED", "The step that had rejected it."),
    Column("error_code", "STRING", "REQUIRED", "Why."),
    Column("topic", "STRING", "REQUIRED", "Where it was published."),
    Column("claim_index", "INTEGER", description="Which of several claims in the message it is."),
)

DISPOSITION_COLUMNS = (
    Column("claim_id", "STRING", "REQUIRED", "The claim, as the claims table has its id."),
    Column(
        "outcome",
        "STRING",
        "REQUIRED",
        "confirmed_fraud, improper_payment, proper, undetermined or under_review.",
    ),
    Column("amount_recovered", "NUMERIC", description="Money that came back, or was not paid."),
    Column("reviewer", "STRING", description="Pseudonym or team of the reviewer."),
    Column("reviewed_at", "TIMESTAMP", "REQUIRED", "When the reviewer decided; the newest counts."),
    Column("recorded_at", "TIMESTAMP", description="When the row was written."),
    Column("note", "STRING", description="Free text, which may hold health data."),
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
        "Healthcare claims with fraud risk score and reasons.",
    )


def errors_table() -> Table:
    """The table of rejected messages."""
    return Table(
        ERROR_COLUMNS,
        "error_timestamp",
        ("stage", "error_code"),
        "Messages that did not become claims, whole and replayable. Holds PHI.",
    )


def replays_name(errors: TableName) -> TableName:
    """The name of the record of replays that lies beside an error table."""
    return errors._replace(table=f"{errors.table}_replays")


def replays_table() -> Table:
    """The record of what `claims replay` has published."""
    return Table(
        REPLAY_COLUMNS,
        "replay_timestamp",
        ("original_message_id",),
        "Messages of the error table that were published again. Holds no PHI.",
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
        "Decisions of reviewers about claims, appended only: the newest of a claim counts.",
    )

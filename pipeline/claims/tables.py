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


def column(declared: str, description: str, *fields: Column) -> Column:
    """A column from `name TYPE` or `name TYPE MODE`, and what it holds."""
    name, column_type, mode = (*declared.split(), "NULLABLE")[:3]
    return Column(name, column_type, mode, description, fields)


_ORIGIN = (
    column("message_id STRING", "ID of the Pub/Sub message, or file#version:offset."),
    column("original_message_id STRING", "For a replay, the ID of the original message."),
    column("publish_time TIMESTAMP", "When the message was first published to Pub/Sub."),
    column("claim_index INTEGER", "Position in a message with several claims, from 0."),
    column(
        "claims_in_message INTEGER",
        "How many claims the message holds, including rejected ones.",
    ),
    column("map_version STRING", "Digest of the claim map, if one was used."),
)

CLAIM_OUTCOME = (
    column("days_to_submission INTEGER", "Days from service to submission."),
    column("fraud_risk_score FLOAT", "Fraud risk from 0 to 1, the sum of the rule weights."),
    column("high_risk_flag BOOLEAN", "Whether the score is above the threshold."),
    column("risk_reasons STRING REPEATED", "IDs of the risk rules that fired."),
    column("risk_evidence STRING REPEATED", "The signals and limits behind each reason."),
    column("quality_issues STRING REPEATED", "IDs of the quality rules that fired."),
    column("additional_fields JSON", "Fields that are not in the contract."),
    *_ORIGIN,
    column("processing_timestamp TIMESTAMP REQUIRED", "When the pipeline scored the claim."),
    column("contract_version STRING", "Version of the claim schema."),
    column("rules_version STRING", "Version of the rules."),
    column(
        "reference_versions STRING REPEATED",
        "Reference files in use, as name=version; no version if the file was missing.",
    ),
    column("pipeline_version STRING", "Version of this package."),
)
"""What the pipeline adds to the contract's columns."""

ERROR_COLUMNS = (
    column("error_timestamp TIMESTAMP REQUIRED", "When the message was rejected."),
    column("stage STRING REQUIRED", "The step that rejected it."),
    column("error_code STRING REQUIRED", "Stable name of the cause."),
    column("error STRING REQUIRED", "The cause in one line, without claim values."),
    column(
        "violations RECORD REPEATED",
        "Contract rules that the message violates.",
        column("field STRING", "Path of the field; empty for the whole message."),
        column("rule STRING", "JSON Schema keyword, or one of the pipeline's own rules."),
        column("message STRING", "The violation in words."),
    ),
    column("claim_id STRING", "ID of the claim, if it could be read."),
    column("raw_message STRING", "The message, if it is text of at most 1 MiB."),
    column("raw_bytes BYTES", "The message, if it is not in raw_message."),
    column("raw_encoding STRING", "identity, gzip, truncated or redacted."),
    column("raw_size INTEGER", "Size of the original message in bytes."),
    *_ORIGIN,
    column(
        "attributes RECORD REPEATED",
        "Pub/Sub message attributes.",
        column("key STRING", "Attribute name."),
        column("value STRING", "Attribute value."),
    ),
    column("replay_count INTEGER", "How many times the message was replayed."),
    column("contract_version STRING", "Version of the claim schema."),
    column("pipeline_version STRING", "Version of this package."),
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
    return Table(
        (*contract.columns, *CLAIM_OUTCOME),
        "processing_timestamp",
        ("provider_id", "high_risk_flag", "claim_id"),
        "Healthcare claims with fraud risk scores and reasons.",
    )


def errors_table() -> Table:
    return Table(
        ERROR_COLUMNS,
        "error_timestamp",
        ("stage", "error_code"),
        "Messages that did not become claims, stored for replay. Contains PHI.",
    )


def column_list(names: Sequence[str]) -> str:
    """`column a`, or `columns a, b`, for messages."""
    return f"column{'s' * (len(names) != 1)} {', '.join(names)}"

"""The stock pipeline: the same steps from Beam's own parts, as one writes them without ours.

`ReadFromText`, `json`, a DoFn a step with a tagged output for what fails, and `WriteToBigQuery`
with streaming inserts for both tables. It leaves out what would only make it slower: the place of
a line in its file, metrics, all violations of a claim instead of the first, the evidence of a
reason, and the quality rules that `stock_rules` does not know.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io.gcp.bigquery import BigQueryDisposition, WriteToBigQuery
from apache_beam.io.gcp.bigquery_tools import RetryStrategy
from apache_beam.pvalue import TaggedOutput

from workshop.benchmarks import stock_contract, stock_rules
from workshop.benchmarks.stock_contract import BadClaim

FAILED = "failed"
VERSIONS = {
    "contract_version": stock_contract.schema()["x-version"],
    "pipeline_version": "stock",
}


def _failure(stage: str, line: bytes, error: BadClaim) -> TaggedOutput:
    return TaggedOutput(FAILED, (stage, error.code, str(error), line))


class ParseFn(beam.DoFn):
    """Line -> (line, fields)."""

    def process(self, element: bytes) -> Iterator[Any]:
        try:
            yield element, stock_contract.parse(element)
        except BadClaim as error:
            yield _failure("parse", element, error)


class ValidateFn(beam.DoFn):
    """(line, fields) -> (line, claim)."""

    def process(self, element: tuple[bytes, dict[str, Any]]) -> Iterator[Any]:
        line, fields = element
        try:
            yield line, stock_contract.validate(fields)
        except BadClaim as error:
            yield _failure("validate", line, error)


class EnrichFn(beam.DoFn):
    """(line, claim) -> row of the claims table."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def process(self, element: tuple[bytes, dict[str, Any]]) -> Iterator[Any]:
        line, claim = element
        try:
            days = stock_rules.days_to_submission(claim)
            risks = stock_rules.risks(claim, days)
            score = min(1.0, round(sum(risks.values(), 0.0), 2))
            yield {
                **claim,
                "days_to_submission": days,
                "fraud_risk_score": score,
                "high_risk_flag": score > self._threshold,
                "risk_reasons": list(risks),
                "quality_issues": stock_rules.quality_issues(claim, days),
                "processing_timestamp": datetime.now(UTC).isoformat(),
                "rules_version": stock_rules.RULES["version"],
                **VERSIONS,
            }
        except Exception as surprise:
            yield _failure("enrich", line, BadClaim("internal_error", type(surprise).__name__))


class ErrorRowFn(beam.DoFn):
    """Failure -> row of the error table."""

    def process(self, element: tuple[str, str, str, bytes]) -> Iterator[Any]:
        stage, code, error, line = element
        row = {
            "error_timestamp": datetime.now(UTC).isoformat(),
            "stage": stage,
            "error_code": code,
            "error": error,
            "raw_size": len(line),
            "raw_encoding": "identity",
            **VERSIONS,
        }
        try:
            row["raw_message"] = line.decode()
        except UnicodeDecodeError:
            row["raw_bytes"] = base64.b64encode(line).decode()
        yield row


def write(table: str) -> WriteToBigQuery:
    """Beam's sink; it retries transient errors only, since its default never gives up a bad row."""
    return WriteToBigQuery(
        table=table,
        method=WriteToBigQuery.Method.STREAMING_INSERTS,
        create_disposition=BigQueryDisposition.CREATE_NEVER,
        insert_retry_strategy=RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
    )


def build(pipeline: beam.Pipeline, pattern: str, claims_table: str, error_table: str) -> None:
    """The whole pipeline; tables as `project:dataset.table`."""
    parsed = (
        pipeline
        | "Read" >> beam.io.ReadFromText(pattern, coder=BytesCoder())
        | "Parse" >> beam.ParDo(ParseFn()).with_outputs(FAILED, main="parsed")
    )
    validated = parsed.parsed | "Validate" >> beam.ParDo(ValidateFn()).with_outputs(
        FAILED, main="claims"
    )
    enriched = validated.claims | "Enrich" >> beam.ParDo(EnrichFn(0.5)).with_outputs(
        FAILED, main="rows"
    )
    enriched.rows | "WriteClaims" >> write(claims_table)
    (
        (parsed[FAILED], validated[FAILED], enriched[FAILED])
        | "Failures" >> beam.Flatten()
        | "ErrorRows" >> beam.ParDo(ErrorRowFn())
        | "WriteErrors" >> write(error_table)
    )

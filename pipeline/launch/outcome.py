"""What a backfill on this machine has done: one line for people, or JSON for programs."""

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipeline.claims.formats.table import FORMATS
from pipeline.claims.tables import TableName
from pipeline.launch.options import Launch
from pipeline.transforms.metrics import NAMESPACE

_CONSOLE = "https://console.cloud.google.com/dataflow/jobs"


class OutputOptions(PipelineOptions):
    """How a launch from a shell answers. The template has no such parameter."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse._ActionsContainer) -> None:
        parser.add_argument(
            "--json", action="store_true", help="Print the outcome as JSON on standard output."
        )


class Outcome(NamedTuple):
    """Messages that came in, and the rows that they became."""

    read: int
    claims: int
    high_risk: int
    errors: int
    without_claim: int
    """Documents in which the claim map found no claim."""
    missing: int
    """Rows that should be in the tables and are not."""
    seconds: float

    @classmethod
    def of(cls, counts: Mapping[str, int], launch: Launch, seconds: float) -> "Outcome":
        """`counts` are those of the whole job by metric name."""

        def rejected(prefix: str) -> int:
            return sum(count for name, count in counts.items() if name.startswith(prefix))

        read, errors = counts.get("received", 0), rejected("rejected_")
        claims = counts.get("accepted", 0) - rejected("rejected_write_")
        rows = claims + errors
        expected = rows if may_split(launch) else max(rows, read)
        # Beam's own sink of streaming inserts counts no rows.
        is_counted = launch.write_method == "STORAGE_WRITE_API"
        arrived = counts.get("rows_written", 0) if is_counted else rows
        return cls(
            read,
            claims,
            counts.get("high_risk", 0),
            errors,
            counts.get("skipped", 0),
            max(0, expected - arrived),
            seconds,
        )

    def __str__(self) -> str:
        claims = f"{self.claims:,} claim{'s' * (self.claims != 1)}"
        errors = f"{self.errors:,} error{'s' * (self.errors != 1)}"
        found = f"{claims} ({self.high_risk:,} high risk) + {errors}"
        sign = "=" if self.read == self.claims + self.errors else "≠"
        if self.without_claim:
            documents = f"document{'s' * (self.without_claim != 1)}"
            found += f" + {self.without_claim:,} {documents} without a claim"
        if self.without_claim or (sign == "≠" and not self.missing):
            sign = f"message{'s' * (self.read != 1)}:"  # some of which hold several claims, or none
        return f"read {self.read:,} {sign} {found} in {self.seconds:.0f} s"


def may_split(launch: Launch) -> bool:
    """Whether a message may become several rows, or none."""
    return bool(launch.claim_map or FORMATS[launch.input_format].claim_map)


def beam_counts(result: Any) -> Counter[str]:
    """Our counters of a job that has ended, by metric name."""
    counts: Counter[str] = Counter()
    for each in result.metrics().query()["counters"]:
        if each.key.metric.namespace == NAMESPACE:
            counts[each.key.metric.name] += each.result
    return counts


def text_of(outcome: Outcome, launch: Launch) -> str:
    """The outcome, and what to look at next."""
    claims, errors = TableName.parse(launch.output_table), TableName.parse(launch.error_table)
    tables = f"--output-table {claims} --error-table {errors}"
    lines = [str(outcome)]
    if outcome.missing:
        kind = f" --input-format {launch.input_format}" if launch.input_format != "JSON" else ""
        lines += [
            f"Missing rows: {outcome.missing:,}. To list the messages without a row, run:",
            f"  claims reconcile {tables} --input-files '{launch.input_files}'{kind}",
        ]
    lines.append("Next steps:")
    if outcome.high_risk:
        lines.append(f"  claims query high_risk_claims --output-table {claims}")
    if outcome.errors:
        lines.append(f"  claims query errors_today {tables}")
    return "\n".join([*lines, f"  claims report {tables}"])


def json_of(outcome: Outcome, launch: Launch) -> str:
    tables = {"output_table": launch.output_table, "error_table": launch.error_table}
    return json.dumps({**outcome._asdict(), "seconds": round(outcome.seconds, 1), **tables})


def on_dataflow(job_id: str, options: PipelineOptions, launch: Launch, *, as_json: bool) -> str:
    """Where a job that was just started can be followed."""
    cloud = options.view_as(GoogleCloudOptions)
    url = f"{_CONSOLE}/{cloud.region}/{job_id}?project={cloud.project}"
    if as_json:
        return json.dumps({"job_id": job_id, "url": url})
    claims, errors = TableName.parse(launch.output_table), TableName.parse(launch.error_table)
    text = f"The job is running on Dataflow: {url}"
    if launch.streaming:
        doctor = f"claims doctor --project {cloud.project} --running"
        return f"{text}\nTo see whether it is keeping up, run: {doctor}"
    return (
        f"{text}\nOnce it has ended, run: claims reconcile --output-table {claims}"
        f" --error-table {errors} --input-files '{launch.input_files}'"
    )

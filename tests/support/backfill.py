"""A backfill of files run in this process, and what it leaves, to compare with another run."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.claims.contract import Contract
from pipeline.launch import options, prepare
from tests.support.privacy import job

TABLES = ["--output_table=my-project:claims.claims", "--error_table=my-project:claims.errors"]
_PER_RUN = {"processing_timestamp", "error_timestamp"}


def contents(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """The rows as text, but for the columns that tell when they were made."""
    return Counter(
        repr({name: row[name] for name in sorted(row) if name not in _PER_RUN}) for row in rows
    )


class Outcome(NamedTuple):
    """What a job has left: the rows of the two tables, and the counters that Beam has of it."""

    claims: Counter[str]
    errors: Counter[str]
    counters: Counter[str]


def run(pattern: Path, *arguments: str) -> Any:
    """Run a backfill to its end in this process, and give its result."""
    given = PipelineOptions([f"--input_files={pattern}", *TABLES, *arguments])
    launch = options.check(given)
    result = prepare.pipeline(launch, prepare.settings(launch), given).run()
    result.wait_until_finish()
    return result


def counters(result: Any) -> Counter[str]:
    """Our counters by name; those of requests depend on the size of bundles."""
    found: Counter[str] = Counter()
    for each in result.metrics().query()["counters"]:
        if each.key.metric.namespace == "claims" and "append" not in each.key.metric.name:
            found[each.key.metric.name] += each.committed
    return found


def stored(pattern: Path, *arguments: str) -> Outcome:
    """The outcome by the Storage Write API, on a server that refuses what the real one would."""
    with job.server(Contract.default()) as server:
        result = run(pattern, f"--bigquery_storage_endpoint={server.address}", *arguments)
        claims, errors = (contents(server.tables[name].rows) for name in (job.CLAIMS, job.ERRORS))
    return Outcome(claims, errors, counters(result))

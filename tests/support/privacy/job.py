"""The job as a launch makes it, from parameters to metrics, run in this process and observed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.claims.contract import Contract
from pipeline.claims.tables import claims_table, errors_table
from pipeline.launch import options, prepare
from tests.support.bigquery.fault_server import Fault, FaultServer
from tests.support.privacy.canaries import MARK
from tests.support.privacy.observation import Observation

_DATASET = "projects/my-project/datasets/claims/tables"
CLAIMS, ERRORS = (f"{_DATASET}/{name}/streams/_default" for name in ("claims", "errors"))
SAID = ("stage", "error_code", "error", "violations")
"""Columns of the error table that are for people and dashboards."""


@contextmanager
def server(contract: Contract, faults: Sequence[Fault] = ()) -> Iterator[FaultServer]:
    """A Write API that fails by script, and refuses some claims; its texts quote values."""

    def refuses(kind: str) -> Any:
        return lambda row: "patient_id" in row and row["claim_id"] == f"{MARK}-{kind}"

    with FaultServer(iter(faults), is_bad=refuses("bad"), is_poison=refuses("poison")) as started:
        started.create(CLAIMS, claims_table(contract).columns)
        started.create(ERRORS, errors_table().columns)
        yield started


def run(observation: Observation, path: Path, *arguments: str) -> None:
    """Run a backfill to its end, and add metrics and parameters to the observation."""
    tables = ["--output_table=my-project:claims.claims", "--error_table=my-project:claims.errors"]
    given = PipelineOptions(["--runner=FnApiRunner", f"--input_files={path}", *tables, *arguments])
    asked = options.check(given)
    assembled = prepare.pipeline(asked, prepare.settings(asked), given)
    said = observation.said
    said["parameters"] += [repr(given.get_all_options()), str(assembled.to_runner_api())]
    try:
        result = assembled.run()
        result.wait_until_finish()
    except Exception as error:
        observation.add_exception(error)
        raise
    for results in result.metrics().query().values():
        said["metrics"] += [repr((each.key, each.result)) for each in results]
    said["metrics"] += map(str, result.monitoring_infos())

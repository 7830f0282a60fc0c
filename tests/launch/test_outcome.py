"""What a backfill says at its end: of counts, in words and in numbers."""

import json
import tempfile
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.launch import options, prepare
from pipeline.launch.options import Launch
from pipeline.launch.outcome import Outcome, json_of, on_dataflow, text_of
from pipeline.launch.progress import Progress
from pipeline.transforms.metrics import LiveCounts, Tally, live_counts

COUNTS = {
    "received": 50_000,
    "accepted": 49_015,
    "high_risk": 813,
    "rejected_parse_invalid_json": 700,
    "rejected_validate_schema_violation": 285,
    "rejected_write_row_too_large": 5,
    "rows_written": 50_000,
}
TABLES = ["--output_table=my-project:claims.claims", "--error_table=my-project.claims.errors"]


def launched(*more: str) -> Launch:
    return options.check(PipelineOptions(["--input_files=gs://b/*.ndjson", *TABLES, *more]))


CASES = {
    "all": ({}, [], 0, "read 50,000 = 49,010 claims (813 high risk) + 990 errors in 31 s"),
    "nothing": (
        dict.fromkeys(COUNTS, 0),
        [],
        0,
        "read 0 = 0 claims (0 high risk) + 0 errors in 31 s",
    ),
    "not written": ({"rows_written": 49_990}, [], 10, "read 50,000 = 49,010 claims"),
    "lost between": (
        {"received": 50_007},
        [],
        7,
        "read 50,007 ≠ 49,010 claims (813 high risk) + 990 errors in 31 s",
    ),
    "Beam counts no rows": (
        {"rows_written": 0},
        ["--write_method=STREAMING_INSERTS"],
        0,
        "read 50,000 = 49,010 claims",
    ),
    "split": (
        {"received": 1_000},
        ["--input_format=X12"],
        0,
        "read 1,000 messages: 49,010 claims (813 high risk) + 990 errors in 31 s",
    ),
    "split, a single one": (
        {"received": 1},
        ["--input_format=X12"],
        0,
        "read 1 message: 49,010 claims (813 high risk) + 990 errors in 31 s",
    ),
    "not written, of split ones": (
        {"received": 1_000, "rows_written": 49_999},
        ["--claim_map=fhir_r4_claim"],
        1,
        "read 1,000 ≠ 49,010 claims",
    ),
    "no claim in it": (
        {"received": 50_003, "skipped": 3},
        ["--claim_map=fhir_r4_claim"],
        0,
        "read 50,003 messages: 49,010 claims (813 high risk) + 990 errors"
        " + 3 documents without a claim in 31 s",
    ),
}


@pytest.mark.parametrize("counts, more, missing, line", CASES.values(), ids=CASES)
def test_outcome(counts: dict[str, int], more: list[str], missing: int, line: str):
    launch = launched(*more)
    outcome = Outcome.of({**COUNTS, **counts}, launch, 31.2)
    assert outcome.missing == missing
    text = text_of(outcome, launch)
    assert text.startswith(line)
    assert ("Missing rows: " in text) is bool(missing)
    assert ("claims reconcile --output-table my-project.claims.claims" in text) is bool(missing)
    assert ("claims query errors_today " in text) is bool(outcome.errors)
    assert ("claims query high_risk_claims " in text) is bool(outcome.high_risk)
    numbers = json.loads(json_of(outcome, launch))
    assert numbers.pop("output_table") == "my-project:claims.claims"
    assert numbers.pop("error_table") == "my-project.claims.errors"
    assert numbers == outcome._asdict() | {"seconds": 31.2}


def test_on_dataflow():
    given = PipelineOptions(["--project=my-project", "--region=us-east1"])
    text = on_dataflow("2026-1", given, launched(), as_json=False)
    assert "https://console.cloud.google.com/dataflow/jobs/us-east1/2026-1?project=my-pro" in text
    assert "claims reconcile" in text
    numbers = json.loads(on_dataflow("2026-1", given, launched(), as_json=True))
    assert numbers["job_id"] == "2026-1"


def test_open_bundles_count_and_none_counts_twice():
    with live_counts() as live:
        tally, other = Tally(), Tally()
        tally["received"] += 5
        other["received"] += 2
        assert live.now() == {"received": 7}
        tally.flush()
        tally["received"] += 1
        assert live.now() == {"received": 8}
        del other  # a bundle that failed
        assert live.now() == {"received": 6}
    later = Tally()
    later["received"] += 1
    assert live.now() == {"received": 6}


def test_progress_says_what_it_waits_for():
    counts = LiveCounts()
    progress = Progress(counts, 100.0)
    assert progress.line(101.0).startswith("   1 s  read 0  claims 0")
    assert "waits" not in progress.line(104.0)
    assert progress.line(107.0).endswith("(waiting for the first lines, 6 s)")
    tally = Tally()
    tally.update({"received": 1_000, "accepted": 990, "rejected_parse_x": 10, "high_risk": 4})
    counts.add(tally)
    shown = "read 1,000  claims 990  high risk 4  errors 10  rows written 0"
    assert progress.line(108.0) == f"   8 s  {shown}"
    assert progress.line(114.0) == f"  14 s  {shown}  (waiting for BigQuery, 6 s)"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_until_the_end(is_terminal: bool, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.launch.progress.ON_TERMINAL_SECONDS", 0.01)
    monkeypatch.setattr("pipeline.launch.progress.ELSEWHERE_SECONDS", 0.01)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    shown = ""
    with Progress(LiveCounts(), 0.0):
        while shown.count("read 0") < 2:
            shown += capsys.readouterr().err
    shown += capsys.readouterr().err
    assert ("\n" in shown) is not is_terminal
    assert shown.endswith("\r\x1b[K" if is_terminal else "\n")


def test_a_pipeline_that_never_runs_leaves_nothing_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A launch that stopped at its tables left an empty folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = PipelineOptions([f"--input_files={__file__}", *TABLES])
    launch = options.check(given)
    prepare.pipeline(launch, prepare.settings(launch), given)
    assert list(tmp_path.iterdir()) == []

"""The graphs on record: they are ours, and nothing gets there that breaks running jobs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam import coders
from apache_beam.transforms import trigger, userstate, window
from click.testing import CliRunner

from claims_ops.deployment import transform_names as names
from workshop.graph_record import record
from workshop.graph_record.comparison import compare
from workshop.graph_record.fingerprint import Graph, fingerprint

CASES = json.loads((Path(__file__).parents[2] / "cases/graph/comparisons.json").read_text())


@pytest.fixture(scope="module")
def built() -> dict[str, Graph]:
    return record.built()


def test_graphs_are_those_on_record(built: dict[str, Graph]):
    """The labels of steps are API: running jobs are updated by them."""
    for launch, comparison in record.comparisons(record.recorded(), built).items():
        assert comparison.updatable and not comparison.added, (
            f"\n{launch}\n{record.explain(comparison)}"
        )
    assert built == record.recorded(), "run `make graph`"


def test_names_lead_from_old_labels_to_steps(built: dict[str, Graph]):
    labels = {label for graph in built.values() for label in graph}
    for old, new in names.transform_names().items():
        assert not any(f"{label}/".startswith(f"{old}/") for label in labels), old
        assert not new or any(f"{label}/".startswith(f"{new}/") for label in labels), new


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_comparison(case: dict[str, Any]):
    found = compare(case["recorded"], case["built"], case.get("names", {}))
    for part in ("added", "missing", "astray", "changed"):
        assert list(getattr(found, part)) == case.get(part, []), part
    assert found.updatable == case["updatable"]


COUNT = userstate.CombiningValueStateSpec("kept", coders.VarIntCoder(), sum)
BAG = userstate.BagStateSpec("kept", coders.VarIntCoder())
FLUSH = userstate.TimerSpec("flush", userstate.TimeDomain.WATERMARK)
COUNTED, LISTED = beam.DoFn.StateParam(COUNT), beam.DoFn.StateParam(BAG)
FLUSHED = beam.DoFn.TimerParam(FLUSH)


class Counted(beam.DoFn):
    def process(self, element: Any, kept: Any = COUNTED) -> Any:
        yield element


class Listed(beam.DoFn):
    def process(self, element: Any, kept: Any = LISTED) -> Any:
        yield element


class Timed(beam.DoFn):
    def process(self, element: Any, kept: Any = COUNTED, timer: Any = FLUSHED) -> Any:
        yield element

    @userstate.on_timer(FLUSH)
    def flush(self) -> None: ...


@beam.typehints.with_output_types(tuple[str, str])
class Pair(beam.DoFn):
    def process(self, element: Any) -> Any:
        yield element


@beam.typehints.with_output_types(tuple[str, bytes])
class BytesPair(Pair): ...


class Labelled(Pair):
    def process(self, element: Any, label: Any) -> Any:
        yield element


def graph(
    keep: beam.DoFn | None = None,
    pair: beam.DoFn | None = None,
    window_fn: Any = None,
    side: bool = False,
    **windowing: Any,
) -> Graph:
    """A pipeline that keeps something by key, as it is before a change or after."""
    pipeline = beam.Pipeline("FnApiRunner")
    given = pipeline | "Given" >> beam.Create([("a", "b")], reshuffle=False)
    windows = beam.WindowInto(window_fn or window.FixedWindows(60), **windowing)
    label = (beam.pvalue.AsSingleton(given),) if side else ()
    pairs = given | "Window" >> windows | "Pair" >> beam.ParDo(pair or Pair(), *label)
    pairs | "Keep" >> beam.ParDo(keep or Counted())
    return fingerprint(pipeline.to_runner_api())


@pytest.mark.parametrize(
    "after, step, part",
    [
        (lambda: graph(Listed()), "Keep", "state"),
        (lambda: graph(Timed()), "Keep", "timers"),
        (lambda: graph(pair=BytesPair()), "Keep", "inputs"),
        (lambda: graph(pair=Labelled(), side=True), "Pair", "side_inputs"),
        (lambda: graph(window_fn=window.FixedWindows(30)), "Window", "outputs"),
        (lambda: graph(window_fn=window.Sessions(60)), "Window", "outputs"),
        (lambda: graph(allowed_lateness=60), "Window", "outputs"),
        (
            lambda: graph(
                trigger=trigger.Repeatedly(trigger.AfterCount(5)),
                accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
            ),
            "Window",
            "outputs",
        ),
    ],
    ids=["state", "timer", "coder", "side input", "window size", "window", "lateness", "trigger"],
)
def test_what_dataflow_compares_is_in_the_fingerprint(
    after: Callable[[], Graph], step: str, part: str
):
    before = graph()
    assert graph() == before
    changed = compare(before, after(), {}).changed
    assert any(line.startswith(f"{step}: {part}: ") for line in changed), changed


@pytest.fixture
def on_record(
    built: dict[str, Graph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any], Path]:
    """`make graph` with another record than ours."""

    def use(change: Callable[[dict[str, Graph]], None]) -> Path:
        graphs = json.loads(json.dumps(built))
        change(graphs)
        path = tmp_path / "graphs.json"
        path.write_text(json.dumps(graphs, indent=1, sort_keys=True) + "\n")
        monkeypatch.setattr(record, "RECORD", path)
        monkeypatch.setattr(record, "built", lambda: built)
        return path

    return use


def rename(graphs: dict[str, Graph]) -> None:
    graphs["streaming"]["ScoreClaims/Score"] = graphs["streaming"].pop("ReadMessages/ToMessage")


def recode(graphs: dict[str, Graph]) -> None:
    graphs["streaming"]["ReadMessages/ToMessage"]["outputs"] = {"None": "Bytes"}


def test_record_is_written_where_jobs_can_be_updated(on_record):
    path = on_record(lambda graphs: graphs["streaming"].pop("WriteErrors/MakeRows"))
    assert CliRunner().invoke(record.record).exit_code == 0
    assert json.loads(path.read_text()) == record.recorded()
    written = path.stat().st_mtime_ns
    assert CliRunner().invoke(record.record).exit_code == 0
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("change", [rename, recode])
def test_record_is_kept_where_jobs_cannot_be_updated(on_record, change):
    path = on_record(change)
    before = path.read_text()
    ended = CliRunner().invoke(record.record)
    assert ended.exit_code == 1
    assert path.read_text() == before


def test_changed_step_needs_a_drain(on_record, built):
    path = on_record(recode)
    assert CliRunner().invoke(record.record, ["--drain"]).exit_code == 0
    assert json.loads(path.read_text()) == built


def test_renamed_step_needs_a_name_whatever_is_drained(on_record, built, tmp_path, monkeypatch):
    path = on_record(rename)
    assert CliRunner().invoke(record.record, ["--drain"]).exit_code == 1
    path_of_names = tmp_path / "names.json"
    path_of_names.write_text(json.dumps({"ScoreClaims/Score": "ReadMessages/ToMessage"}))
    monkeypatch.setattr(names, "NAMES", path_of_names)
    assert CliRunner().invoke(record.record).exit_code == 0
    assert json.loads(path.read_text()) == built


def test_running_job_can_be_updated_to_a_claim_map(built: dict[str, Graph]):
    comparison = compare(built["streaming"], built["streaming, claim_map"], {})
    assert comparison.updatable
    assert {label.partition("/")[0] for label in comparison.added} == {
        "MapClaims",
        "FlattenUnmapped",
    }
    names = {"MapClaims": "", "FlattenUnmapped": ""}
    back = compare(built["streaming, claim_map"], built["streaming"], names)
    assert back.updatable and not back.added

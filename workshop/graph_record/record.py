"""`make graph`: puts the graphs of this code on record, if running jobs can be updated to them."""

import json
from pathlib import Path

import click

from claims_ops.deployment.transform_names import NAMES, transform_names
from workshop.graph_record.comparison import Comparison, compare
from workshop.graph_record.fingerprint import Graph, fingerprint
from workshop.graph_record.launches import LAUNCHES, STREAMING, pipeline_of

RECORD = Path(__file__).with_name("graphs.json")

_MEANING = """\
Dataflow updates a running job only if the new graph has the job's steps, under the same labels and
with the same coders, windows and state. Elements in flight and state move to the step with that
label.
"""
_MISSING = f"""\
Running jobs have steps that this code lacks:
{{}}
  Renamed? Add "old label": "new label" to {NAMES.name}; a prefix such as "ParseJson" covers all
  steps below it. Removed? Add "label": "". Then run `make graph`. `claims deploy --update` passes
  the entry on to Dataflow. By mistake? Give the step its old label back.
"""
_ASTRAY = f"""\
{NAMES.name} refers to steps that this code lacks:
{{}}
"""
_CHANGED = """\
Steps whose state or output differs from that in running jobs:
{}
  Renaming does not help: Dataflow refuses the update, and the running job continues. If you intend
  the change, run `make graph DRAIN=1`, and say in CHANGELOG.md that operators must drain the job
  (`claims deploy --drain`) before they launch the new one. Nothing is lost, because Pub/Sub keeps
  the remaining messages.
"""
_ADDED = """\
Steps that running jobs lack, which an update may add:
{}
  If you intend this, run `make graph`.
"""


def recorded() -> dict[str, Graph]:
    """The graphs on record by the names of their launches."""
    graphs: dict[str, Graph] = json.loads(RECORD.read_text())
    return graphs


def built() -> dict[str, Graph]:
    """The graphs of this code, likewise."""
    return {name: fingerprint(pipeline_of(arguments)) for name, arguments in LAUNCHES.items()}


def explain(comparison: Comparison) -> str:
    """What a difference means for running jobs, and what to do."""
    told = [
        text.format("\n".join(f"    {line}" for line in lines))
        for text, lines in (
            (_MISSING, comparison.missing),
            (_ASTRAY, comparison.astray),
            (_CHANGED, comparison.changed),
            (_ADDED, comparison.added),
        )
        if lines
    ]
    return _MEANING + "".join(told)


def comparisons(before: dict[str, Graph], after: dict[str, Graph]) -> dict[str, Comparison]:
    """Of the streaming launches; a batch job is never updated."""
    names = transform_names()
    return {
        launch: compare(before.get(launch, {}), graph, names)
        for launch, graph in after.items()
        if launch.startswith(STREAMING)
    }


@click.command()
@click.option(
    "--drain", is_flag=True, help="Accept a change that requires operators to drain running jobs."
)
def record(drain: bool) -> None:
    """Put the graphs of this code on record, if running jobs can be updated to them."""
    after = built()
    for launch, comparison in comparisons(recorded(), after).items():
        if comparison.missing or comparison.astray or (comparison.changed and not drain):
            click.echo(explain(comparison), err=True)
            raise click.ClickException(f"{launch}; the record was not changed")
    text = json.dumps(after, indent=1, sort_keys=True) + "\n"
    if text == RECORD.read_text():
        click.echo(f"{RECORD.name} is up to date")
    else:
        RECORD.write_text(text)
        click.echo(f"{RECORD.name} was updated; commit it with your change")


if __name__ == "__main__":
    record()

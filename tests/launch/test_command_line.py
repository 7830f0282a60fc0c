"""The command line of a launch: what is not known ends it, and one line names what was meant."""

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import main
from pipeline.launch.command_line import help_text, refuse_unknown
from pipeline.launch.nearest import nearest
from pipeline.launch.options import PARAMETERS, Parameter, ParameterError

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "cases/options/mistyped_launches.json").read_text()
)
RIGHT = [
    "--runner=FnApiRunner",
    "--input_subscription=projects/my-project/subscriptions/claims",
    "--output_table=my-project:claims.claims",
    "--error_table=my-project:claims.errors",
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["typed"]))
def test_mistyped_launch(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def started(*anything: Any, **more: Any) -> Any:
        raise AssertionError("something was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr("pipeline.launch.prepare.settings", started)
    assert main.main([*RIGHT, *case["typed"]]) == main.EXIT_USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("claims: ")
    for said in case["says"]:
        assert said in err


def test_right_launch_is_not_refused():
    refuse_unknown(RIGHT)
    refuse_unknown([])


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
@pytest.mark.parametrize("after", [[], ["--runner=DirectRunner"]])
def test_flag_without_a_value_is_refused(parameter: Parameter, after: list[str]):
    with pytest.raises(ParameterError, match=f"^{parameter.name}: has no value$"):
        refuse_unknown([f"--{parameter.name}", *after])
    refuse_unknown([f"--{parameter.name}", "value", *after])
    refuse_unknown([f"--{parameter.name}=", *after])


def test_every_flag_of_beam_is_known():
    parser = argparse.ArgumentParser(conflict_handler="resolve")
    parser.add_value_provider_argument = parser.add_argument  # type: ignore[attr-defined]
    for kind in PipelineOptions.__subclasses__():
        if kind.__module__.startswith("apache_beam."):
            kind._add_argparse_args(parser)
    takes_text = [
        action.option_strings[0]
        for action in parser._actions
        if action.nargs is None and action.type in (None, str) and not action.choices
    ]
    assert len(takes_text) > 60
    refuse_unknown([f"{flag}={{}}" for flag in takes_text])
    refuse_unknown([word for flag in takes_text for word in (flag, "{}")])


def test_what_a_launcher_may_hand_on_is_no_mistake():
    refuse_unknown([*RIGHT, "--streaming_mode=STREAMING_MODE_AT_LEAST_ONCE"])


def test_a_part_of_a_value_is_not_shown(capsys: pytest.CaptureFixture[str]):
    assert main.main([*RIGHT, "--pseudonym_key", "CANARY", "CANARY+of/a=key"]) == main.EXIT_USAGE
    err = capsys.readouterr().err
    assert "quote values" in err
    assert "CANARY" not in err


@pytest.mark.parametrize(
    "word, expected",
    [
        ("repot", "report"),
        ("REPLAY", "replay"),
        ("re-play", "replay"),
        ("zzz", None),
        ("", None),
    ],
)
def test_nearest(word: str, expected: str | None):
    assert nearest(word, ["report", "replay", "reconcile"]) == expected


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_help_documents_each_parameter(parameter: Parameter):
    found = re.search(
        rf"^  --{parameter.name} VALUE\s+(.+?)(?=\n  --|\n\n)", help_text(), re.M | re.S
    )
    if parameter.hidden:
        assert not found
        return
    assert found
    assert " ".join(parameter.command_line_text.split()) in " ".join(found[1].split())
    assert (parameter.default is None) or "[default:" in found[1]
    if parameter.example and " " not in parameter.example:
        assert parameter.example in found[1], "a line breaks what one would copy"

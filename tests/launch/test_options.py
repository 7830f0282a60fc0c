"""Launch parameters: what is taken, what is refused and how, and that Beam's own pass through."""

import itertools
import json
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)

from pipeline.launch.options import (
    PARAMETERS,
    SOURCES,
    ClaimsOptions,
    Launch,
    Parameter,
    ParameterError,
    check,
)

CASES = json.loads((Path(__file__).parents[1] / "cases/options/parameters.json").read_text())
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
TABLES = {"output_table": "my-project:claims.claims", "error_table": "my-project:claims.errors"}
PSEUDONYMS = {"pseudonymise": "patient_id", "pseudonym_key": "key"}
LEAST = TABLES | {"input_files": "claims.ndjson"}


def launch(**given: str) -> Launch:
    return check(PipelineOptions([f"--{name}={value}" for name, value in given.items()]))


def with_source(name: str, value: str) -> dict[str, str]:
    """The least that a launch needs, with one parameter set, and what that one needs."""
    both = PSEUDONYMS if name in PSEUDONYMS else {}
    return {**TABLES, name: value} if name in SOURCES else {**LEAST, **both, name: value}


def test_every_parameter_has_cases():
    assert set(CASES) == set(BY_NAME)
    for name, cases in CASES.items():
        assert set(cases) == {"accepted", "rejected"}
        assert cases["accepted"]
        declared = BY_NAME[name]
        checked = (
            declared.regex or declared.choices or declared.is_reference or declared.type is bool
        )
        assert bool(cases["rejected"]) == bool(checked), name


@pytest.mark.parametrize(
    "name, text, value",
    [(name, text, value) for name in CASES for text, value in CASES[name]["accepted"].items()],
)
def test_accepted(name: str, text: str, value: object):
    found = getattr(launch(**with_source(name, text)), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "name, text", [(name, text) for name in CASES for text in CASES[name]["rejected"]]
)
def test_rejected(name: str, text: str):
    with pytest.raises(ParameterError) as raised:
        launch(**with_source(name, text))
    assert str(raised.value).startswith(f"{name}: ")
    assert "\n" not in str(raised.value)
    if BY_NAME[name].is_reference:
        assert text not in str(raised.value)


@pytest.mark.parametrize("name", BY_NAME)
def test_empty_counts_as_not_given(name: str):
    others = {key: value for key, value in LEAST.items() if key != name}
    if name == "input_files":
        others["input_topic"] = "projects/my-project/topics/claims"
    arguments = [f"--{key}={value}" for key, value in others.items()] + [f"--{name}="]
    if BY_NAME[name].required:
        with pytest.raises(ParameterError, match=f"^{name}: is required$"):
            check(PipelineOptions(arguments))
    else:
        assert getattr(check(PipelineOptions(arguments)), name) == BY_NAME[name].default


@pytest.mark.parametrize("name", TABLES)
def test_required(name: str):
    with pytest.raises(ParameterError, match=f"^{name}: is required$"):
        launch(**{key: value for key, value in LEAST.items() if key != name})


def test_no_source_names_all_three():
    names = "input_subscription, input_topic or input_files"
    with pytest.raises(ParameterError, match=f"^input_subscription: .*{names}"):
        launch(**TABLES)


@pytest.mark.parametrize("first, second", list(itertools.combinations(SOURCES, 2)))
def test_two_sources_are_named(first: str, second: str):
    given = {name: next(iter(CASES[name]["accepted"])) for name in (first, second)}
    with pytest.raises(ParameterError, match=f"^{first}: .*{first} and {second} were passed$"):
        launch(**TABLES, **given)


def test_only_files_make_a_batch_job():
    for name in SOURCES:
        given = {name: next(iter(CASES[name]["accepted"]))}
        assert launch(**TABLES, **given).streaming == (name != "input_files")


@pytest.mark.parametrize("name", PSEUDONYMS)
def test_fields_and_key_of_pseudonyms_need_each_other(name: str):
    [other] = PSEUDONYMS.keys() - {name}
    with pytest.raises(ParameterError, match=f"^{other}: is required with {name}$"):
        launch(**LEAST, **{name: PSEUDONYMS[name]})


@pytest.mark.parametrize("separator", ":.")
def test_one_table_cannot_be_both(separator: str):
    same = f"my-project{separator}claims.claims"
    with pytest.raises(ParameterError, match="^error_table: "):
        launch(**LEAST | {"error_table": same})


def test_beam_options_pass_through():
    options = PipelineOptions(
        [f"--{name}={value}" for name, value in LEAST.items()]
        + ["--runner=DataflowRunner", "--project=my-project", "--max_num_workers=5"]
    )
    assert check(options).output_table == LEAST["output_table"]
    assert options.view_as(StandardOptions).runner == "DataflowRunner"
    assert options.view_as(GoogleCloudOptions).project == "my-project"
    assert options.view_as(WorkerOptions).max_num_workers == 5


def test_another_pipeline_of_the_process_is_not_disturbed():
    """Beam parses every option class of the process for every pipeline in it."""
    assert ClaimsOptions in PipelineOptions.__subclasses__()
    unrelated = PipelineOptions(["--runner=DirectRunner", "--job_name=unrelated"])
    assert unrelated.get_all_options(drop_default=True) == {
        "runner": "DirectRunner",
        "job_name": "unrelated",
    }


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_example_is_taken(parameter: Parameter):
    assert bool(parameter.example) != bool(parameter.choices or parameter.type is bool)
    if parameter.example:
        launch(**with_source(parameter.name, parameter.example))
        assert parameter.text.endswith(f"Example: {parameter.example}")


def test_declarations_are_complete():
    assert [parameter.name for parameter in PARAMETERS] == list(Launch.__dataclass_fields__)
    for parameter in PARAMETERS:
        assert parameter.label and parameter.help.endswith(".")
        assert "Example:" not in parameter.help
        assert parameter.default is None or not parameter.required


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_dependence_is_on_a_value_that_the_other_can_have(parameter: Parameter):
    if parameter.only_with:
        other, value = parameter.only_with
        assert value in CASES[other]["accepted"]
        assert not parameter.required


def test_a_long_value_is_not_repeated_in_full():
    with pytest.raises(ParameterError, match="is not valid") as caught:
        launch(**LEAST | {"error_retention_days": "9" * 100_000})
    assert len(str(caught.value)) < 1_000

"""metadata.json: valid by the Dataflow API, and true to what the pipeline takes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import re2
import regress
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.claims.mapping.claim_map import PACKAGED_MAPS
from pipeline.launch.options import PARAMETERS, check
from pipeline.launch.parameter import Parameter
from tests.support.google.discovery import api

ROOT = Path(__file__).parents[3]
METADATA = json.loads((ROOT / "metadata.json").read_text())
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
DECLARED = {each["name"]: each for each in METADATA["parameters"]}
CASES = json.loads((ROOT / "tests/cases/options/parameters.json").read_text())
FAULTS = json.loads((ROOT / "tests/cases/options/metadata_faults.json").read_text())
# Dataflow documents POSIX extended expressions; the console checks in JavaScript, the service in
# Java or with RE2.
_POSIX = re2.Options()
_POSIX.posix_syntax = _POSIX.longest_match = _POSIX.one_line = True
ENGINES: dict[str, Callable[[str, str], object]] = {
    "POSIX": lambda regex, text: re2.search(regex, text, options=_POSIX),
    "RE2": lambda regex, text: re2.search(regex, text),
    "JavaScript": lambda regex, text: regress.Regex(regex).find(text),
    "Python": lambda regex, text: re.search(regex.removesuffix("$") + r"\Z", text),
}


def schema() -> dict[str, Any]:
    """That of the API, with what its descriptions call required."""
    whole = api("dataflow.v1b3").schema("TemplateMetadata")
    required = {
        "TemplateMetadata": ["name", "description", "parameters"],
        "ParameterMetadata": ["name", "label", "helpText", "groupName", "paramType"],
        "ParameterMetadataEnumOption": ["value", "label", "description"],
    }
    definitions = {
        name: definition | ({"required": required[name]} if name in required else {})
        for name, definition in whole["$defs"].items()
    }
    return whole | {"$defs": definitions}


def mistakes(document: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema()).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in found]


def test_valid_by_the_api():
    assert mistakes(METADATA) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["fault"])
def test_the_schema_finds(fault: dict[str, Any]):
    document = json.loads(json.dumps(METADATA))
    place: Any = document
    for step in fault["path"][:-1]:
        place = place[step]
    if "value" in fault:
        place[fault["path"][-1]] = fault["value"]
    else:
        del place[fault["path"][-1]]
    assert len(mistakes(document)) == 1


def test_the_same_parameters_as_the_pipeline():
    assert [each["name"] for each in METADATA["parameters"]] == [each.name for each in PARAMETERS]


def launched(**given: str) -> Any:
    least = {"output_table": "my-project:a.b", "error_table": "my-project:a.c", "input_files": "x"}
    return check(PipelineOptions([f"--{name}={value}" for name, value in (least | given).items()]))


def test_the_same_defaults_as_the_pipeline():
    shown = {
        name: each["defaultValue"] for name, each in DECLARED.items() if "defaultValue" in each
    }
    assert launched(**shown) == launched()
    assert shown.keys() == {each.name for each in PARAMETERS if each.default is not None}


def takes(name: str, text: str, engine: str) -> bool:
    """Whether console and service take a value."""
    declared = DECLARED[name]
    if declared["paramType"] == "BOOLEAN":
        return text in ("true", "false")
    if declared["paramType"] == "ENUM":
        return text in [option["value"] for option in declared["enumOptions"]]
    return all(ENGINES[engine](regex, text) for regex in declared.get("regexes", ()))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", DECLARED)
def test_console_takes_what_the_pipeline_takes(name: str, engine: str):
    for regex in DECLARED[name].get("regexes", ()):
        assert regex.startswith("^") and regex.endswith("$")
    for text in CASES[name]["accepted"]:
        spelled_alike = DECLARED[name]["paramType"] != "BOOLEAN" or text.islower()
        is_remote = text.startswith(("gs://", "projects/")) or text in PACKAGED_MAPS
        on_workers = not BY_NAME[name].or_local or is_remote
        assert takes(name, text, engine) == (spelled_alike and on_workers), text
    for text in CASES[name]["rejected"]:
        assert not takes(name, text, engine), text


@pytest.mark.parametrize("engine", ENGINES)
def test_names_of_tables_may_be_as_long_as_bigquery_allows(engine: str):
    longest = "x" * 1024
    assert takes("output_table", f"my-project:{longest}.{longest}", engine)
    assert not takes("output_table", f"my-project:{longest}x.{longest}", engine)
    assert not takes("output_table", f"my-project:{longest}.{longest}x", engine)


@pytest.mark.parametrize("name", DECLARED)
def test_example_is_taken(name: str):
    _, found, example = DECLARED[name]["helpText"].partition("Example: ")
    if found:
        assert takes(name, example, "RE2")
    else:
        assert DECLARED[name]["paramType"] in ("ENUM", "BOOLEAN")


PICKERS = {
    "_subscription": "PUBSUB_SUBSCRIPTION",
    "_topic": "PUBSUB_TOPIC",
    "_kms_key": "KMS_KEY_NAME",
}
TYPES = {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER"}


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_picker_fits_the_parameter(parameter: Parameter):
    by_name = [kind for ending, kind in PICKERS.items() if parameter.name.endswith(ending)]
    # A table may be one that the launch creates: BIGQUERY_TABLE is a picker of those that exist.
    by_example = "GCS_READ_FILE" if (parameter.example or "").startswith("gs://") else "TEXT"
    by_type = TYPES.get(parameter.type, by_example)
    expected = "ENUM" if parameter.choices else by_name[0] if by_name else by_type
    assert DECLARED[parameter.name]["paramType"] == expected


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_no_regex_has_what_posix_lacks(parameter: Parameter):
    for regex in DECLARED[parameter.name].get("regexes", ()):
        assert not re.search(r"\(\?|\\[A-Za-z0-9]|\[[^\]]*\\|[*+?}]\?", regex), regex


def test_help_for_the_console_speaks_of_no_local_file():
    for each in METADATA["parameters"]:
        assert "local" not in each["helpText"].lower(), each["name"]


def test_sections_stand_in_their_order_and_together():
    sections = [each["groupName"] for each in METADATA["parameters"]]
    assert list(dict.fromkeys(sections)) == ["Source", "Output", "Scoring", "Signals", "Advanced"]
    assert sections == sorted(sections, key=list(dict.fromkeys(sections)).index)


def test_dependent_parameters_name_another_and_a_value_of_it():
    dependent = [each for each in METADATA["parameters"] if "parentName" in each]
    assert dependent
    for each in dependent:
        assert each["isOptional"]
        for value in each["parentTriggerValues"]:
            assert takes(each["parentName"], value, "RE2")


def test_streaming_modes():
    """The default counts only where both are supported, as the API's description says."""
    assert METADATA["streaming"] is True
    assert METADATA["supportsAtLeastOnce"] is METADATA["supportsExactlyOnce"] is True
    assert METADATA["defaultStreamingMode"] in ("EXACTLY_ONCE", "AT_LEAST_ONCE")

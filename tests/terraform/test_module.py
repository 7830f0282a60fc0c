"""The module by itself: its variables, what the provider knows of its arguments, its example."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from claims_ops.deployment import request as requests
from claims_ops.deployment.names import Workers
from claims_ops.main import main
from claims_ops.profiles.command import NAMES
from pipeline.claims.tables import PROJECT_PATTERN
from pipeline.launch import options
from pipeline.launch.dataflow import AT_LEAST_ONCE
from tests.support.terraform import MODULE, ROOT, Evaluated, unset

CASES = ROOT / "tests/cases/terraform"
# Every argument of each type that the module uses, `!` where it is required. From the schema of
# provider 6.50.0, google and google-beta, by way of the bindings that CDK for Terraform made of it.
PROVIDER = json.loads((CASES / "provider_arguments.json").read_text())
EVERYTHING = json.loads((CASES / "deployments.json").read_text())["everything"]
PROFILES = {"profiles_schedule": "every 24 hours", "create_views": True}
VALUES = json.loads((ROOT / "tests/cases/options/parameters.json").read_text())
METADATA = json.loads((ROOT / "metadata.json").read_text())["parameters"]
KEY = "projects/my-project/locations/us/keyRings/claims/cryptoKeys/bigquery"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """With all that it can make."""
    return Evaluated(MODULE, EVERYTHING | PROFILES, tmp_path_factory.mktemp("module"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The module and the files it reads, to be changed."""
    for name in ("terraform", "monitoring", "sql"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def paths(arguments: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Arguments as `block.argument`; a map, whose keys are the user's, is one argument."""
    for name, value in arguments.items():
        yield prefix + name
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and name not in (
                "labels",
                "parameters",
                "params",
                "user_labels",
            ):
                if name != "transform_name_mapping":
                    yield from paths(each, f"{prefix}{name}.")


def mistakes(kind: str, arguments: Mapping[str, Any]) -> set[str]:
    """Arguments that the provider does not know, and required ones that are missing."""
    known = {each.removesuffix("!") for each in PROVIDER[kind]}
    used = set(paths(arguments))
    required = {each.removesuffix("!") for each in PROVIDER[kind] if each.endswith("!")}
    missing = {each for each in required - used if {each.rpartition(".")[0]} - {""} <= used}
    return (used - known) | missing


def test_the_provider_knows_every_argument(module: Evaluated):
    resources = module.resources()
    assert {each.type for each in resources} == set(PROVIDER)
    found = {each.address: mistakes(each.type, each.arguments) for each in resources}
    # tfparse drops the last block that a dynamic one makes: for the alerts there is a test below.
    assert {path for each in found.values() for path in each} <= {"conditions"}


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        ("google_pubsub_topic", {"name": "claims", "projekt": "my-project"}, {"projekt"}),
        ("google_pubsub_topic", {"project": "my-project"}, {"name"}),
        ("google_storage_bucket", {"name": "b", "location": "US", "cors": {"origin": []}},
         {"cors", "cors.origin"}),
        ("google_bigquery_table", {"dataset_id": "d", "table_id": "t", "time_partitioning": {}},
         {"time_partitioning.type"}),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_found(kind: str, arguments: dict[str, Any], expected: set[str]):
    assert mistakes(kind, arguments) == expected


def test_every_expression_has_a_value(module: Evaluated):
    found = [path for each in module.resources() for path in unset(each.arguments, each.address)]
    assert found == [
        # Claims are kept, and an update names old steps.
        'google_bigquery_table.claims["claims"].time_partitioning.expiration_ms',
        "google_dataflow_flex_template_job.claims[0].transform_name_mapping",
    ]


def test_a_name_that_nothing_declares_is_found(copy: Path):
    file = copy / "terraform/pubsub.tf"
    file.write_text(file.read_text().replace("= var.project", "= var.projekt", 1))
    with pytest.raises(AssertionError, match=r"var\.projekt"):
        Evaluated(copy / "terraform", {"project": "my-project"}, copy).resources()


def test_every_variable_says_what_it_is(module: Evaluated):
    for name, variable in module.variables.items():
        assert variable["description"].strip(), name
        assert variable["type"], name
        assert ("default" in variable) == (name != "project"), name
        # A type of two values leaves nothing to check.
        assert "validation" in variable or variable["type"] == "bool", name
    for name, output in module.outputs().items():
        assert output or name == "job_id", name


def test_a_variable_for_every_option_of_deploy(module: Evaluated):
    of_deploy = requests.option_names(requests.names, requests.workers)
    ours = {"create_bucket", "create_datasets", "deletion_protection", "launch", "monitoring"}
    ours |= {"notification_channels", "profiles_schedule", "transform_name_mapping"}
    parameters = {parameter.name for parameter in options.PARAMETERS}
    # The module always makes dead letters: a block that may be left out would have to be dynamic.
    without = {"given", "parameters_file", "no_dead_letter"}
    assert set(module.variables) == of_deploy - without | ours | parameters
    assert set(asdict(Workers())) <= set(module.variables)


def test_defaults_are_those_of_deploy(module: Evaluated):
    defaults = {name: each.get("default") for name, each in module.variables.items()}
    for parameter in options.PARAMETERS:
        assert defaults[parameter.name] == parameter.default
    assert (defaults["name"], defaults["region"]) == ("claims", "us-central1")
    assert (defaults["repository"], defaults["tag"]) == ("claims", "latest")


def test_the_same_patterns_as_in_python():
    text = (MODULE / "variables.tf").read_text()
    for pattern in (PROJECT_PATTERN, requests._NAME):
        assert f'"^{pattern}$"'.replace("\\", "\\\\") in text
    assert AT_LEAST_ONCE in (MODULE / "job.tf").read_text()


def accepts(parameter: dict[str, Any], value: str) -> bool:
    """Whether Dataflow takes a value, by metadata.json."""
    if choices := parameter.get("enumOptions"):
        return value in [each["value"] for each in choices]
    return all(re.fullmatch(regex, value) for regex in parameter.get("regexes", ()))


@pytest.mark.parametrize("parameter", METADATA, ids=lambda parameter: parameter["name"])
def test_a_parameter_takes_what_dataflow_takes(parameter: dict[str, Any], tmp_path: Path):
    name = parameter["name"]
    kinds = {each.name: each.type for each in options.PARAMETERS}
    (tmp_path / "main.tf").write_text((MODULE / "parameters.tf").read_text())
    for value in [*VALUES[name]["accepted"], *VALUES[name]["rejected"]]:
        if kinds[name] in (int, float) and not re.fullmatch(r"-?[0-9]+([.][0-9]+)?", value):
            continue  # Terraform takes numbers only: its type refuses this
        if kinds[name] is bool:
            continue
        given = {name: value if kinds[name] is str else json.loads(value)}
        module = Evaluated(tmp_path, given, tmp_path)
        assert (name not in module.refused) == accepts(parameter, value), value
        if value in VALUES[name]["rejected"] and name != "claim_map":
            assert name in module.refused, value


def test_a_key_given_by_mistake_is_never_shown(tmp_path: Path):
    (key,) = VALUES["pseudonym_key"]["rejected"][:1]
    module = Evaluated(MODULE, {"project": "my-project", "pseudonym_key": key}, tmp_path)
    assert module.variables["pseudonym_key"]["sensitive"] is True  # Terraform prints no value of it
    assert set(module.refused) == {"pseudonym_key"}
    assert key not in module.refused["pseudonym_key"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": "My-Project"},
        {"name": "c"},
        {"name": "claims-of-the-whole-world"},
        {"region": "europe"},
        {"bucket": "gs://my-bucket"},
        {"repository": "Claims"},
        {"tag": "v 1"},
        {"template": "claims.json"},
        {"location": "U.S."},
        {"max_workers": 0},
        {"num_workers": 1.5},
        {"machine_type": "n2 standard"},
        {"network": "a b"},
        {"subnetwork": "claims"},
        {"kms_key": "claims"},
        {"labels": {"Team": "claims"}},
        {"transform_name_mapping": {"": "New"}},
        {"notification_channels": ["me@example.com"]},
        {"profiles_schedule": "@daily"},
    ],
    ids=json.dumps,
)
def test_a_wrong_variable_is_refused_by_name(wrong: dict[str, Any], tmp_path: Path):
    module = Evaluated(MODULE, {"project": "my-project"} | wrong, tmp_path)
    [name] = wrong
    assert set(module.refused) == {name}
    assert name in module.refused[name]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_topic": "projects/my-project/topics/a", "input_files": "gs://b/c"}, "at most one"),
        ({"input_files": "gs://bucket/file", "at_least_once": True}, "at_least_once"),
        ({"pseudonymise": "patient_id"}, "pseudonym_key"),
        ({"profiles_schedule": "every 24 hours"}, "create_views"),
    ],
    ids=["two sources", "a backfill at least once", "no key", "no view"],
)
def test_variables_that_do_not_go_together(given: dict[str, Any], message: str, tmp_path: Path):
    resources = Evaluated(MODULE, {"project": "my-project"} | given, tmp_path).resources()
    [refusal] = [refusal for each in resources for refusal in each.refusals]
    assert message in refusal


def test_the_dashboard_is_ours(tmp_path: Path):
    given = {"project": "my-project", "name": "claims-eu"}
    [made] = Evaluated(MODULE, given, tmp_path).resources("google_monitoring_dashboard")
    text = (ROOT / "monitoring/dashboard.json").read_text().replace("claims.*", "claims-eu.*")
    assert made.arguments == {"project": "my-project", "dashboard_json": text}


def snake(document: Any) -> Any:
    """A document of the Monitoring API in the words of the provider."""
    if isinstance(document, list):
        return [snake(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {
        re.sub("(?<!^)([A-Z])", r"_\1", key).lower(): value if key == "userLabels" else snake(value)
        for key, value in document.items()
    }


ALERTS = sorted((ROOT / "monitoring/alerts").glob("*.json"))


@pytest.mark.parametrize("path", ALERTS, ids=lambda path: path.stem)
def test_the_alert_policies_are_ours(path: Path, copy: Path):
    """Each condition by itself, and twice: tfparse drops the last block of a dynamic one."""
    policy = json.loads(path.read_text().replace("claims.*", "claims-eu.*"))
    channels = ["projects/my-project/notificationChannels/1"]
    given = {"project": "my-project", "name": "claims-eu", "notification_channels": channels}
    for condition in policy["conditions"]:
        alone = policy | {"conditions": [condition, condition]}
        for other in (copy / "monitoring/alerts").iterdir():
            other.unlink()
        (copy / "monitoring/alerts" / path.name).write_text(json.dumps(alone))
        module = Evaluated(copy / "terraform", given, copy)
        [made] = module.resources("google_monitoring_alert_policy")
        expected = snake(alone) | {"conditions": snake(condition)}
        ours = {"project": "my-project", "notification_channels": channels}
        assert made.arguments == expected | ours
        assert mistakes(made.type, made.arguments) == set()


def test_every_alert_policy_is_made(module: Evaluated):
    made = {each.address for each in module.resources("google_monitoring_alert_policy")}
    assert made == {f'google_monitoring_alert_policy.claims["{each.stem}"]' for each in ALERTS}


def test_new_tables_have_the_key():
    text = (MODULE / "bigquery.tf").read_text()  # tfparse drops this block
    [block] = re.findall(r'dynamic "encryption_configuration" \{(.*?)\n  \}', text, re.DOTALL)
    assert " ".join(block.split()) == (
        "for_each = var.bigquery_kms_key == null ? [] : [var.bigquery_kms_key]"
        " content { kms_key_name = encryption_configuration.value }"
    )
    known = {each.removesuffix("!") for each in PROVIDER["google_bigquery_table"]}
    assert "encryption_configuration.kms_key_name" in known


def test_the_scheduled_query_is_that_of_claims_profiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table = ("--output-table", "my-project.claims.claims")
    folder = ("--to", "gs://my-project-claims/reference")
    assert main(["profiles", "--scheduled-query", *table, *folder]) == 0
    module = Evaluated(MODULE, {"project": "my-project"} | PROFILES, tmp_path)
    [made] = module.resources("google_bigquery_data_transfer_config")
    assert made.arguments["params"] == {"query": capsys.readouterr().out.removesuffix("\n")}
    files = {name: f"{folder[1]}/{name}-*.csv" for name in NAMES}
    assert module.outputs()["profile_files"] == files


def test_its_account_may_read_export_and_query(module: Evaluated):
    member = "serviceAccount:claims-eu-profile@my-project.iam.gserviceaccount.com"
    granted = {
        each.arguments["role"]: each.type
        for each in module.resources()
        if each.arguments.get("member") == member
    }
    assert granted == {
        "roles/bigquery.jobUser": "google_project_iam_member",
        "roles/bigquery.dataViewer": "google_bigquery_dataset_iam_member",
        "roles/storage.objectAdmin": "google_storage_bucket_iam_member",
    }


def test_no_file_reads_a_secret():
    """Terraform keeps in its state whatever it reads."""
    for path in MODULE.rglob("*.tf"):
        assert not re.search(r"^data |secret_version|secret_data", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"region": "europe-west3", "bucket": "ours"},
        {"tag": "v2", "launch": False},
    ],
    ids=json.dumps,
)
def test_the_example(given: dict[str, Any], tmp_path: Path):
    example = MODULE / "examples/basic"
    module = Evaluated(example, {"project": "my-project", **given}, tmp_path)
    assert all(each["description"] for each in module.variables.values())
    [call] = module.blocks["module"]
    defaults = {"region": "us-central1", "bucket": "my-project-claims"}
    defaults |= {"tag": "latest", "launch": True}
    assert {name: call[name] for name in defaults} == defaults | given
    # tfparse knows no import blocks.
    assert (
        len(
            re.findall(
                r"^ +(?:id|bucket) += local\.bucket$", (example / "main.tf").read_text(), re.M
            )
        )
        == 2
    )
    passed = {name for name in call if name not in ("__tfmeta", "id", "source")}
    assert (example / call["source"]).resolve() == MODULE
    assert passed <= set(Evaluated(MODULE, {"project": "my-project"}, tmp_path).variables)
    launched = "google_dataflow_flex_template_job" in module.blocks
    assert launched == given.get("launch", True)

"""The generated files of the Terraform module: parameters, services and roles, tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from claims_ops.deployment import plan
from claims_ops.deployment.datasets import DatasetGrant
from claims_ops.deployment.gcloud import Gcloud
from claims_ops.deployment.names import Deployment
from claims_ops.deployment.steps import Grant
from pipeline.claims.contract import Contract
from pipeline.claims.tables import Table, claims_table, errors_table
from pipeline.launch import options
from pipeline.launch.parameter import Parameter
from pipeline.sinks.bigquery.table_fit import field_of
from workshop.sync.metadata import metadata_json

_TYPES = {bool: "bool", int: "number", float: "number", str: "string"}
# One that needs every role there is.
_WHOLE = Deployment(
    project="my-project",
    region="us-central1",
    name="claims",
    bucket="own",
    repository="claims",
    template="gs://own/template.json",
    location="us-central1",
    parameters={
        "input_subscription": "projects/my-project/subscriptions/claims",
        "output_table": "my-project:claims.claims",
        "error_table": "my-project:claims.errors",
        "pseudonym_key": "projects/my-project/secrets/key/versions/1",
        "rules": "gs://foreign/rules.json",
        "create_views": "true",
    },
    own_source=True,
)


def parameters_tf() -> str:
    """A variable for each launch parameter, and a local that gathers those to pass."""
    declared = {each.name: each for each in options.PARAMETERS}
    shown: list[Mapping[str, Any]] = json.loads(metadata_json())["parameters"]
    lines = [_written_from("pipeline/launch/options.py")]
    for each in shown:
        parameter = declared[each["name"]]
        lines += ["", *_variable(each, _TYPES[parameter.type], parameter.is_reference)]
    passed = {name: _passed(parameter) for name, parameter in declared.items()}
    lines += [
        "",
        "locals {",
        "  # A default is not passed: the template of another version may lack the parameter.",
        "  launch_parameters = {",
        "    for name, value in {",
        *_aligned(passed, indent=6),
        "    } : name => tostring(value) if value != null",
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _variable(shown: Mapping[str, Any], kind: str, is_reference: bool) -> Iterator[str]:
    name = shown["name"]
    default = shown.get("defaultValue")
    attributes = {
        "description": _text(shown["helpText"]),
        "type": kind,
        "default": "null"
        if default is None
        else _text(default)
        if kind == "string"
        else f"{json.loads(default)}".lower(),
    }
    if default is not None:
        attributes["nullable"] = "false"
    if is_reference:
        attributes["sensitive"] = "true"  # else a key given by mistake would be printed
    yield f'variable "{name}" {{'
    yield from _aligned(attributes, indent=2)
    if kind != "bool":  # whose type leaves nothing to check
        yield from (
            "",
            "  validation {",
            f"    condition     = {_condition(shown, kind, default is None)}",
            f"    error_message = {_text(_message(shown))}",
            "  }",
        )
    yield "}"


def _condition(shown: Mapping[str, Any], kind: str, may_be_null: bool) -> str:
    value = f"var.{shown['name']}"
    as_text = f"tostring({value})" if kind == "number" else value
    if values := [each["value"] for each in shown.get("enumOptions", ())]:
        condition = f"contains([{', '.join(map(_text, values))}], {value})"
    elif regexes := shown.get("regexes"):
        condition = " && ".join(f"can(regex({_text(regex)}, {as_text}))" for regex in regexes)
    else:
        condition = f'try(trimspace({value}), "") != ""'
    return f"{value} == null ? true : {condition}" if may_be_null else condition


def _message(shown: Mapping[str, Any]) -> str:
    """Names the parameter, never its value. Terraform wants a sentence."""
    if values := [each["value"] for each in shown.get("enumOptions", ())]:
        return f"Parameter {shown['name']} must be one of {', '.join(values)}."
    return f"Parameter {shown['name']} is not valid; see its description."


def _passed(parameter: Parameter) -> str:
    value = f"var.{parameter.name}"
    if parameter.is_reference:
        return f"nonsensitive({value})"
    if parameter.default is None:
        return value
    default = json.dumps(parameter.default)
    return f"{value} == {default} ? null : {value}"


def deployment_tf() -> str:
    """The services to enable, and the roles of the workers by what they are granted on."""
    lines = [_written_from("claims_ops/deployment/plan.py"), "", "locals {"]
    lines += ["  services = [", *(f'    "{name}",' for name in plan.SERVICES), "  ]", ""]
    lines += [f'  secret_service = "{plan.SECRETS}"', "", "  roles = {"]
    for kind, roles in _roles().items():
        reasons = {_text(role): _text(why) for role, why in roles.items()}
        lines += [f"    {kind} = {{", *_aligned(reasons, indent=6), "    }"]
    return "\n".join([*lines, "  }", "}"]) + "\n"


def _roles() -> dict[str, dict[str, str]]:
    """Roles, and why, by what they are granted on."""
    roles: dict[str, dict[str, str]] = {}
    for grant in plan.grants(_WHOLE, Gcloud(_WHOLE.project)):
        roles.setdefault(_kind(grant), {})[grant.role] = grant.why
    return roles


def _kind(grant: Grant | DatasetGrant) -> str:
    if isinstance(grant, DatasetGrant):
        return "datasets"
    if grant.role in plan.VIEWS_ROLES:
        return "views"
    kind = grant.target.commands[-1]
    if grant.target.resource == ("gs://foreign",):
        return f"foreign_{kind}"
    return kind if grant.who == _WHOLE.worker_account else f"agent_{kind}"


def table_json(name: str) -> str:
    """The table `claims` or `errors`, as the launch makes it."""
    table: Table = {"claims": claims_table(Contract.default()), "errors": errors_table()}[name]
    document = {
        "description": table.description,
        "partition_column": table.partition_column,
        "clustering": table.clustering,
        "schema": [field_of(column).to_api_repr() for column in table.columns],
    }
    return json.dumps(document, indent=2) + "\n"


def _aligned(pairs: Mapping[str, str], indent: int) -> Iterator[str]:
    """Arguments, as `terraform fmt` lays them out."""
    width = max(map(len, pairs))
    return (f"{'':{indent}}{name:<{width}} = {value}" for name, value in pairs.items())


def _written_from(source: str) -> str:
    return f"# Written by `claims sync` from {source}; edit that."


def _text(value: str) -> str:
    """A string of HCL, in which `${` and `%{` would be templates."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")

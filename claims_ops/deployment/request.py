"""The options that name a deployment, the same in every command about one, and their values."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import reduce, wraps
from typing import Any, TypeVar

import click

from claims_ops.deployment import settings
from claims_ops.deployment.gcloud import StepFailed, configured_project
from claims_ops.deployment.names import Deployment, Workers
from claims_ops.shared.option_types import ResourceName
from pipeline.claims.tables import PROJECT_PATTERN

Command = TypeVar("Command", bound=Callable[..., Any])

_NAME = "[a-z][a-z0-9-]{2,20}[a-z0-9]"  # its service account, NAME-workers, has at most 30
_PLACE = ResourceName("[A-Za-z][A-Za-z0-9-]{1,62}", "us-central1")
_BUCKET = ResourceName("[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "my-project-claims")
_REPOSITORY = ResourceName("[a-z][a-z0-9-]{0,62}", "claims")
_TAG = ResourceName("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", "1.0.0")
_TEMPLATE = ResourceName(r"gs://[a-z0-9][a-z0-9._-]+/[^\s,]+", "gs://my-bucket/claims.json")
_MACHINE_TYPE = ResourceName("[a-z][a-z0-9-]{1,62}", "n2-standard-2")
_PATH = ResourceName(r"[A-Za-z][A-Za-z0-9._:/-]{0,1023}", "regions/us-central1/subnetworks/main")
_PROJECT = click.option(
    "--project",
    envvar="PROJECT",
    show_envvar=True,
    help="Project ID.  [default: the project set in gcloud config]",
)
_NAME_OPTION = click.option(
    "--name",
    default="claims",
    show_default=True,
    metavar="NAME",
    help="Name of the job, its topic and subscription, and its dataset.",
)
_PREFIX_OPTION = click.option(
    "--name",
    default="claims",
    show_default=True,
    metavar="NAME",
    help="Watch the jobs and subscriptions whose names begin with this.",
)
_PLACES = (
    click.option(
        "--region",
        envvar="REGION",
        show_envvar=True,
        type=_PLACE,
        default="us-central1",
        show_default=True,
        help="Region to run the job in.",
    ),
    click.option(
        "--bucket",
        envvar="BUCKET",
        show_envvar=True,
        type=_BUCKET,
        help="Bucket for the job.  [default: PROJECT-claims]",
    ),
    click.option(
        "--repository",
        envvar="REPOSITORY",
        show_envvar=True,
        type=_REPOSITORY,
        default="claims",
        show_default=True,
        help="Artifact Registry repository that holds the image, in the same region.",
    ),
    click.option(
        "--tag",
        envvar="TAG",
        show_envvar=True,
        type=_TAG,
        default="latest",
        show_default=True,
        help="Version of the template.",
    ),
    click.option(
        "--template",
        type=_TEMPLATE,
        metavar="gs://...",
        help="Path to a different template.  [default: gs://BUCKET/templates/claims/TAG.json]",
    ),
    click.option(
        "--no-dead-letter",
        is_flag=True,
        help="Do not use a dead-letter topic.",
    ),
)
_LOCATION = click.option(
    "--location", type=_PLACE, help="Location for a new dataset.  [default: the region]"
)
_LOCATION_OR_NONE = click.option(
    "--location",
    type=_PLACE,
    help="Location for a new dataset. If neither it nor the parameter dataset_location is set, a"
    " missing dataset is an error.",
)
_PARAMETERS = (
    click.option(
        "--parameter",
        "given",
        type=settings.KeyValue(),
        multiple=True,
        help="Launch parameter, such as error_retention_days=90 (see"
        " docs/reference/parameters.md). Repeatable.",
    ),
    click.option(
        "--parameters-file",
        type=click.Path(exists=True, dir_okay=False),
        help="JSON file with launch parameters; --parameter overrides it.",
    ),
)
_WORKERS = (
    click.option(
        "--max-workers",
        type=click.IntRange(min=1),
        help="Maximum number of workers.  [default: 10]",
    ),
    click.option("--num-workers", type=click.IntRange(min=1), help="Initial number of workers."),
    click.option(
        "--machine-type",
        type=_MACHINE_TYPE,
        help="Machine type of the workers.  [default: chosen by Dataflow]",
    ),
    click.option("--network", type=_PATH, help="VPC network of the workers."),
    click.option(
        "--subnetwork",
        type=_PATH,
        help="Subnetwork of the workers, as regions/REGION/subnetworks/NAME or as its URL.",
    ),
    click.option(
        "--no-public-ips", is_flag=True, help="Give the workers private IP addresses only."
    ),
    click.option("--kms-key", type=_PATH, help="Cloud KMS key that encrypts the job's state."),
    click.option(
        "--label",
        "labels",
        type=settings.KeyValue(),
        multiple=True,
        help="Label to add to the job. Repeatable.",
    ),
    click.option(
        "--at-least-once",
        is_flag=True,
        help="Run in at-least-once streaming mode: cheaper, but with more duplicate rows.",
    ),
)


@dataclass(frozen=True, slots=True)
class MonitoringRequest:
    """What the command line says about what is to be watched."""

    project: str | None
    name: str


@dataclass(frozen=True, slots=True)
class TablesRequest(MonitoringRequest):
    """What the command line says about the tables."""

    location: str | None
    given: tuple[tuple[str, str], ...]
    """Launch parameters."""
    parameters_file: str | None


@dataclass(frozen=True, slots=True)
class DeploymentRequest(TablesRequest):
    """What the command line says about a whole deployment."""

    region: str
    bucket: str | None
    repository: str
    tag: str
    template: str | None
    no_dead_letter: bool


def names(command: Command) -> Command:
    """Options that name a deployment; the command gets them as `request`, a DeploymentRequest."""
    region, *places = _PLACES
    command = _gathered(command, DeploymentRequest, "request")
    return _with(command, _PROJECT, region, _NAME_OPTION, *places, _LOCATION, *_PARAMETERS)


def tables(command: Command) -> Command:
    """Options about the tables alone; the command gets them as `request`, a TablesRequest."""
    command = _gathered(command, TablesRequest, "request")
    return _with(command, _PROJECT, _NAME_OPTION, _LOCATION_OR_NONE, *_PARAMETERS)


def monitored(command: Command) -> Command:
    """Options that name jobs; the command gets them as `request`, a MonitoringRequest."""
    command = _gathered(command, MonitoringRequest, "request")
    return _with(command, _PROJECT, _PREFIX_OPTION)


def workers(command: Command) -> Command:
    """Options for how the job runs; the command gets them as `workers`, a Workers."""
    return _with(_gathered(command, Workers, "workers"), *_WORKERS)


def _gathered(command: Command, kind: type[Any], name: str) -> Command:
    """The command, called with one object in place of the options that its fields are named by."""

    @wraps(command)
    def gathering(*arguments: Any, **options: Any) -> Any:
        chosen = {field.name: options.pop(field.name) for field in fields(kind)}
        return command(*arguments, **options, **{name: kind(**chosen)})

    return gathering  # type: ignore[return-value]


def option_names(*groups: Callable[[Any], Any]) -> set[str]:
    """The names of the options that `names`, `tables` or `workers` give a command."""

    def probe(**_: Any) -> None:
        """Is never called."""

    # Each group wraps the command, and the outermost one holds the options of all.
    whole = reduce(lambda command, group: group(command), groups, probe)
    return {option.name or "" for option in click.command()(whole).params}


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def checked_name(name: str) -> str:
    """The name of a deployment.

    Raises:
        click.UsageError: it is none.
    """
    if not re.fullmatch(_NAME, name):
        raise click.UsageError(
            "--name: use 4 to 22 characters from a-z, 0-9 and -; start with a"
            " letter and do not end with -."
        )
    return name


def project(request: MonitoringRequest) -> str:
    """The project of a deployment.

    Raises:
        click.UsageError: there is none, or it is not a project id.
    """
    try:
        given = request.project or configured_project()
    except StepFailed as error:
        raise click.ClickException(str(error)) from None
    if not re.fullmatch(PROJECT_PATTERN, given):
        raise click.UsageError(
            f"--project: {given!r} is not a project ID."
            if given
            else "No project given: pass --project ID, or run `gcloud config set project ID`."
        )
    return given


def parameters(request: TablesRequest, project: str) -> dict[str, str]:
    """The launch parameters, checked; those that are not given derive from `--name`.

    Raises:
        click.UsageError: names what is wrong.
    """
    name = checked_name(request.name)
    ours = settings.defaults(project, name, _subscription(project, name))
    return settings.parameters(ours, request.given, request.parameters_file)


def deployment(
    request: DeploymentRequest,
    workers: Workers,
    *,
    image: str | None = None,
    pipeline_options: tuple[str, ...] = (),
    account: str | None = None,
) -> Deployment:
    """The deployment that a command line asks for.

    Raises:
        click.UsageError: names what is wrong.
    """
    owner = project(request)
    given = parameters(request, owner)
    bucket = request.bucket or f"{owner.replace(':', '-').replace('.', '-')}-claims"
    return Deployment(
        project=owner,
        region=request.region,
        name=request.name,
        bucket=bucket,
        repository=request.repository,
        template=request.template or f"gs://{bucket}/templates/claims/{request.tag}.json",
        location=request.location or request.region,
        parameters=given,
        own_source=given.get("input_subscription") == _subscription(owner, request.name),
        dead_letters=not request.no_dead_letter,
        image=image,
        pipeline_options=pipeline_options,
        workers=replace(workers, labels=dict(workers.labels)),
        account=account,
    )


def _subscription(project: str, name: str) -> str:
    return f"projects/{project}/subscriptions/{name}"

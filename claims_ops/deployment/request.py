"""What the command line says of a deployment, the same for every command that concerns one."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from claims_ops.deployment import settings
from claims_ops.deployment.gcloud import StepFailed, configured_project
from claims_ops.deployment.names import Deployment, Workers
from pipeline.claims.tables import PROJECT_PATTERN

Command = TypeVar("Command", bound=Callable[..., Any])

_NAME = "[a-z][a-z0-9-]{2,20}[a-z0-9]"  # its service account, NAME-workers, has at most 30
_PROJECT = click.option(
    "--project", envvar="PROJECT", help="Project id.  [default: that of gcloud config]"
)
_NAME_OPTION = click.option(
    "--name",
    default="claims",
    show_default=True,
    metavar="NAME",
    help="Name of the job, its topic and subscription, and its dataset.",
)
_PLACES = (
    click.option(
        "--region", envvar="REGION", default="us-central1", show_default=True, help="Of the job."
    ),
    click.option("--bucket", envvar="BUCKET", help="Bucket of the job.  [default: PROJECT-claims]"),
    click.option(
        "--repository",
        envvar="REPOSITORY",
        default="claims",
        show_default=True,
        help="Artifact Registry repository of the image, in the region.",
    ),
    click.option(
        "--tag", envvar="TAG", default="latest", show_default=True, help="Of the template."
    ),
    click.option(
        "--template",
        metavar="gs://...",
        help="Another template.  [default: gs://BUCKET/templates/claims/TAG.json]",
    ),
)
_PARAMETERS = (
    click.option("--location", help="Location of a new dataset.  [default: the region]"),
    click.option(
        "--parameter",
        "given",
        type=settings.KeyValue(),
        multiple=True,
        help="A launch parameter; may be repeated. README.md lists them.",
    ),
    click.option(
        "--parameters-file",
        type=click.Path(exists=True, dir_okay=False),
        help="JSON object of launch parameters; --parameter comes first.",
    ),
)
_WORKERS = (
    click.option(
        "--max-workers", type=click.IntRange(min=1), help="Bound of the job.  [default: 10]"
    ),
    click.option("--num-workers", type=click.IntRange(min=1), help="Workers at the start."),
    click.option("--machine-type", help="Of the workers.  [default: Dataflow's own]"),
    click.option("--network", help="Network of the workers."),
    click.option(
        "--subnetwork", help="Of the workers: regions/REGION/subnetworks/NAME, or its URL."
    ),
    click.option("--no-public-ips", is_flag=True, help="Workers have private addresses only."),
    click.option("--kms-key", help="Cloud KMS key of the job's state."),
    click.option(
        "--label", "labels", type=settings.KeyValue(), multiple=True, help="Of the job; repeatable."
    ),
    click.option(
        "--at-least-once", is_flag=True, help="Streaming mode: cheaper, rows may come twice."
    ),
)


def names(command: Command) -> Command:
    """Options that say what there is: project, places, parameters."""
    region, *places = _PLACES
    return _with(command, _PROJECT, region, _NAME_OPTION, *places, *_PARAMETERS)


def tables(command: Command) -> Command:
    """Those of them that say where the tables are, and how."""
    return _with(command, _PROJECT, _NAME_OPTION, *_PARAMETERS)


def workers(command: Command) -> Command:
    """Options that say how the job runs."""
    return _with(command, *_WORKERS)


def option_names(*groups: Callable[[Any], Any]) -> set[str]:
    """The names of the options that `names`, `tables` or `workers` give a command."""
    probe = click.command()(_all_of(groups))
    return {option.name or "" for option in probe.params}


def _all_of(groups: tuple[Callable[[Any], Any], ...]) -> Callable[..., None]:
    def probe(**_: Any) -> None:
        """Is never called."""

    for group in groups:
        group(probe)
    return probe


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def project(said: Mapping[str, Any]) -> str:
    """The project.

    Raises:
        click.UsageError: none is given, or it is none.
    """
    try:
        given: str = said["project"] or configured_project()
    except StepFailed as error:
        raise click.ClickException(str(error)) from None
    if not re.fullmatch(PROJECT_PATTERN, given):
        told = f"{given!r} is no project id" if given else "which? Or: gcloud config set project"
        raise click.UsageError(f"--project: {told}.")
    return given


def parameters(said: Mapping[str, Any], project: str) -> dict[str, str]:
    """The launch parameters, checked; those that are not said derive from `--name`.

    Raises:
        click.UsageError: names what is wrong.
    """
    if not re.fullmatch(_NAME, said["name"]):
        raise click.UsageError("--name: 4 to 22 of a-z, 0-9 and -; first a letter, last no -.")
    ours = settings.defaults(project, said["name"], _subscription(project, said["name"]))
    return settings.parameters(ours, said["given"], said["parameters_file"])


def deployment(said: Mapping[str, Any]) -> Deployment:
    """What the options of `names` and `workers`, and others of `claims deploy`, ask for.

    Raises:
        click.UsageError: names what is wrong.
    """
    owner = project(said)
    given = parameters(said, owner)
    bucket = said["bucket"] or f"{owner.replace(':', '-').replace('.', '-')}-claims"
    known = {key: said[key] for key in Workers.__dataclass_fields__ if key != "labels"}
    return Deployment(
        project=owner,
        region=said["region"],
        name=said["name"],
        bucket=bucket,
        repository=said["repository"],
        template=said["template"] or f"gs://{bucket}/templates/claims/{said['tag']}.json",
        location=said["location"] or said["region"],
        parameters=given,
        own_source=given.get("input_subscription") == _subscription(owner, said["name"]),
        image=said.get("image"),
        pipeline_options=said.get("options", ()),
        workers=Workers(**known, labels=dict(said["labels"])),
        account=said.get("account"),
    )


def _subscription(project: str, name: str) -> str:
    return f"projects/{project}/subscriptions/{name}"

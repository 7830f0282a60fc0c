"""`claims deploy`: the command line."""

import re
from typing import Any

import click

from pipeline.tables import PROJECT_PATTERN
from pipeline.tools.deploy import again, removal, run, settings
from pipeline.tools.deploy.deployment import Deployment, Workers
from pipeline.tools.deploy.gcloud import Gcloud, StepFailed, configured_project
from pipeline.tools.deploy.job import Job, drained
from pipeline.tools.deploy.plan import STEPS, steps
from pipeline.tools.graph_record.names import transform_names

_NAME = "[a-z][a-z0-9-]{2,20}[a-z0-9]"  # its service account, NAME-workers, has at most 30


@click.command()
@click.option("--project", envvar="PROJECT", help="Project id.  [default: that of gcloud config]")
@click.option(
    "--region", envvar="REGION", default="us-central1", show_default=True, help="Of the job."
)
@click.option(
    "--name",
    default="claims",
    show_default=True,
    metavar="NAME",
    help="Name of the job, its topic and subscription, and its dataset.",
)
@click.option("--bucket", envvar="BUCKET", help="Bucket of the job.  [default: PROJECT-claims]")
@click.option(
    "--repository",
    envvar="REPOSITORY",
    default="claims",
    show_default=True,
    help="Artifact Registry repository of the image, in the region.",
)
@click.option("--tag", envvar="TAG", default="latest", show_default=True, help="Of the template.")
@click.option(
    "--template",
    metavar="gs://...",
    help="Another template.  [default: gs://BUCKET/templates/claims/TAG.json]",
)
@click.option("--location", help="Location of a new dataset.  [default: the region]")
@click.option(
    "--parameter",
    "given",
    type=settings.KeyValue(),
    multiple=True,
    help="A launch parameter; may be repeated. README.md lists them.",
)
@click.option(
    "--parameters-file",
    type=click.Path(exists=True, dir_okay=False),
    help="JSON object of launch parameters; --parameter comes first.",
)
@click.option("--max-workers", type=click.IntRange(min=1), help="Bound of the job.  [default: 10]")
@click.option("--num-workers", type=click.IntRange(min=1), help="Workers at the start.")
@click.option("--machine-type", help="Of the workers.  [default: Dataflow's own]")
@click.option("--network", help="Network of the workers.")
@click.option("--subnetwork", help="Of the workers: regions/REGION/subnetworks/NAME, or its URL.")
@click.option("--no-public-ips", is_flag=True, help="Workers have private addresses only.")
@click.option("--kms-key", help="Cloud KMS key of the job's state.")
@click.option(
    "--label", "labels", type=settings.KeyValue(), multiple=True, help="Of the job; repeatable."
)
@click.option("--at-least-once", is_flag=True, help="Streaming mode: cheaper, rows may come twice.")
@click.option("--update", is_flag=True, help="Replace the running job of this name.")
@click.option("--drain", is_flag=True, help="End the running job; nothing is lost. Deploys none.")
@click.option("--direct", is_flag=True, help="Launch this code, not the template; with --image.")
@click.option("--image", help="Image of the workers of a direct launch.")
@click.option("--dry-run", is_flag=True, help="Print the commands (? asks, + changes), run none.")
@click.option("--from", "first", type=click.Choice(STEPS), help="Go on from this step.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- PIPELINE_OPTION...]")
@click.pass_context
def deploy(ctx: click.Context, /, **asked: Any) -> None:
    """From an empty project to a running job.

    Enables the services, makes bucket, topic, subscription, dataset and a service account with
    just the roles needed, and launches the job. What exists stays as it is: run it again after
    a failure, or to see that all is there. Needs gcloud, logged in.

    \b
    Examples:
      claims deploy --project my-project --dry-run
      claims deploy --project my-project --max-workers 3
      claims deploy --project my-project --update --from launch
      claims deploy --project my-project --drain
      claims deploy --parameter input_files=gs://my-bucket/2026-*.ndjson.gz --name claims-2026
      claims deploy --direct --image us-central1-docker.pkg.dev/my-project/claims/claims:latest
    """
    to = _deployment(asked)
    try:
        if asked["drain"]:
            _drain(to, dry_run=asked["dry_run"])
        else:
            _deploy(ctx, to, asked)
    except StepFailed as error:
        raise click.ClickException(str(error)) from None


def _deployment(asked: dict[str, Any]) -> Deployment:
    for one, other in (("update", "drain"), ("direct", "drain")):
        if asked[one] and asked[other]:
            raise click.UsageError(f"--{one} and --{other} exclude each other.")
    if not re.fullmatch(_NAME, asked["name"]):
        raise click.UsageError("--name: 4 to 22 of a-z, 0-9 and -; first a letter, last no -.")
    if asked["direct"] != bool(asked["image"]):
        raise click.UsageError("--direct and --image belong together: which image has this code?")
    if asked["options"] and not asked["direct"]:
        raise click.UsageError("Pipeline options are for --direct only.")
    try:
        project = asked["project"] or configured_project()
    except StepFailed as error:
        raise click.ClickException(str(error)) from None
    if not re.fullmatch(PROJECT_PATTERN, project):
        told = (
            f"{project!r} is no project id" if project else "which? Or: gcloud config set project"
        )
        raise click.UsageError(f"--project: {told}.")
    bucket = asked["bucket"] or f"{project.replace(':', '-').replace('.', '-')}-claims"
    own = f"projects/{project}/subscriptions/{asked['name']}"
    ours = settings.defaults(project, asked["name"], own)
    given = settings.parameters(ours, asked["given"], asked["parameters_file"])
    if "input_files" in given and (asked["update"] or asked["at_least_once"]):
        raise click.UsageError("--update and --at-least-once are for streaming jobs only.")
    known = {key: asked[key] for key in Workers.__dataclass_fields__ if key != "labels"}
    return Deployment(
        project=project,
        region=asked["region"],
        name=asked["name"],
        bucket=bucket,
        repository=asked["repository"],
        template=asked["template"] or f"gs://{bucket}/templates/claims/{asked['tag']}.json",
        location=asked["location"] or asked["region"],
        parameters=given,
        own_source=given.get("input_subscription") == own,
        image=asked["image"],
        pipeline_options=asked["options"],
        workers=Workers(**known, labels=dict(asked["labels"])),
    )


def _deploy(ctx: click.Context, to: Deployment, asked: dict[str, Any]) -> None:
    every = steps(to, asked["update"], transform_names())
    names = [step.name for step in every]
    if asked["first"] and asked["first"] not in names:
        raise click.UsageError(f"--from: this deployment has no step {asked['first']}.")
    todo = every[names.index(asked["first"] or names[0]) :]
    if asked["dry_run"]:
        for step in todo:
            click.echo("\n".join([f"# {step.name}: {step.title}", *step.plan()]))
        return
    changed = run.take(todo, lambda step: again.command(ctx, from_step=step))
    click.echo(f"\n{changed} of {len(todo)} changed." if changed else "\nNothing was changed.")
    click.echo(f"The job: {to.console}")


def _drain(to: Deployment, *, dry_run: bool) -> None:
    job = Job(to, Gcloud(to.project))
    if dry_run:
        click.echo(f"? {job.gcloud.shown(job.list_active)}")
        click.echo(f"+ {job.gcloud.shown(job.drain('JOB_ID'))}")
        return
    click.echo(drained(job))
    click.echo("All else stays. What would remove it:\n" + "\n".join(removal.commands(to)))

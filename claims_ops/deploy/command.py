"""`claims deploy`: the command line."""

from typing import Any

import click

from claims_ops.deploy import apply as run
from claims_ops.deploy import removal
from claims_ops.deployment import request, rerun
from claims_ops.deployment.gcloud import Gcloud, StepFailed
from claims_ops.deployment.job import Job, drained
from claims_ops.deployment.names import Deployment
from claims_ops.deployment.plan import STEPS, steps
from pipeline.launch.transform_names import transform_names


@click.command()
@request.names
@request.workers
@click.option("--update", is_flag=True, help="Replace the running job of this name.")
@click.option("--drain", is_flag=True, help="End the running job; nothing is lost. Deploys none.")
@click.option("--direct", is_flag=True, help="Launch this code, not the template; with --image.")
@click.option("--image", help="Image of the workers of a direct launch.")
@click.option("--quiet", is_flag=True, help="Only what was changed, and the end.")
@click.option("--dry-run", is_flag=True, help="Print the commands (? asks, + changes), run none.")
@click.option("--from", "first", type=click.Choice(STEPS), help="Go on from this step.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- PIPELINE_OPTION...]")
@click.pass_context
def deploy(ctx: click.Context, /, **said: Any) -> None:
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
    to = _checked(said)
    try:
        if said["drain"]:
            _drain(to, dry_run=said["dry_run"])
        else:
            _deploy(ctx, to, said)
    except StepFailed as error:
        raise click.ClickException(str(error)) from None


def _checked(said: dict[str, Any]) -> Deployment:
    for one, other in (("update", "drain"), ("direct", "drain")):
        if said[one] and said[other]:
            raise click.UsageError(f"--{one} and --{other} exclude each other.")
    if said["direct"] != bool(said["image"]):
        raise click.UsageError("--direct and --image belong together: which image has this code?")
    if said["options"] and not said["direct"]:
        raise click.UsageError("Pipeline options are for --direct only.")
    to = request.deployment(said)
    if not to.streaming and (said["update"] or said["at_least_once"]):
        raise click.UsageError("--update and --at-least-once are for streaming jobs only.")
    return to


def _deploy(ctx: click.Context, to: Deployment, said: dict[str, Any]) -> None:
    every = steps(to, said["update"], transform_names())
    names = [step.name for step in every]
    if said["first"] and said["first"] not in names:
        raise click.UsageError(f"--from: this deployment has no step {said['first']}.")
    todo = every[names.index(said["first"] or names[0]) :]
    if said["dry_run"]:
        for step in todo:
            click.echo("\n".join([f"# {step.name}: {step.title}", *step.plan()]))
        return
    changed = run.take(todo, lambda step: rerun.command(ctx, from_step=step), quiet=said["quiet"])
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

"""`claims deploy`: the command line."""

from collections.abc import Sequence

import click

from claims_ops.deploy import apply, removal
from claims_ops.deployment import request as requests
from claims_ops.deployment import rerun
from claims_ops.deployment.gcloud import Gcloud, StepFailed
from claims_ops.deployment.job import Job, bounded, drained
from claims_ops.deployment.names import Deployment, Workers
from claims_ops.deployment.plan import STEPS, steps
from claims_ops.deployment.request import DeploymentRequest
from claims_ops.deployment.steps import Step
from claims_ops.deployment.transform_names import transform_names
from claims_ops.shared.option_types import Bounds, ResourceName

MOST_WORKERS = 1000
"""That Dataflow takes as a bound."""


@click.command()
@requests.names
@requests.workers
@click.option("--update", is_flag=True, help="Replace the running job that has this name.")
@click.option(
    "--drain",
    is_flag=True,
    help="Drain the running job: it finishes what it has read, then stops. Deploys nothing.",
)
@click.option(
    "--workers",
    "bounds",
    type=Bounds(MOST_WORKERS),
    metavar="MIN-MAX",
    help="Change how many workers the running job may have, without an update. Deploys nothing.",
)
@click.option(
    "--direct",
    is_flag=True,
    help="Launch the code in this checkout instead of a template. Needs --image.",
)
@click.option(
    "--image",
    type=ResourceName(r"[a-z0-9][A-Za-z0-9._:/@-]*", "us-docker.pkg.dev/p/claims/pipeline:1.0"),
    help="Worker image for a --direct launch.",
)
@click.option("--quiet", is_flag=True, help="Print only the changes and the outcome.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the commands instead of running them (? marks reads, + marks changes).",
)
@click.option(
    "--from",
    "first",
    type=click.Choice(STEPS),
    help="Start at this step, for example after a failure.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- PIPELINE_OPTION...]")
@click.pass_context
def deploy(
    ctx: click.Context,
    request: DeploymentRequest,
    workers: Workers,
    *,
    update: bool,
    drain: bool,
    bounds: tuple[int, int] | None,
    direct: bool,
    image: str | None,
    quiet: bool,
    dry_run: bool,
    first: str | None,
    options: tuple[str, ...],
) -> None:
    """Create everything a job needs, then launch it.

    Enables the APIs, creates a bucket, a topic, a subscription, a dataset and a service account
    with only the roles it needs, and launches the job. Anything that already exists is left
    unchanged, so you can rerun the command after a failure; only the launch itself adds missing
    columns to the tables, sets how long error rows are kept, and replaces the views. Requires
    gcloud with an active login.

    \b
    Examples:
      claims deploy --project my-project --dry-run
      claims deploy --project my-project --max-workers 3
      claims deploy --project my-project --update --from launch
      claims deploy --project my-project --workers 2-10
      claims deploy --project my-project --drain
      claims deploy --parameter 'input_files=gs://my-bucket/2026-*.ndjson.gz' --name claims-2026
      claims deploy --direct --image us-central1-docker.pkg.dev/my-project/claims/claims:latest
    """
    chosen = {"--update": update, "--drain": drain, "--workers": bool(bounds), "--direct": direct}
    given = [name for name, is_given in chosen.items() if is_given]
    if len(given) > 1 and given != ["--update", "--direct"]:
        raise click.UsageError(f"{given[0]} and {given[1]} cannot be combined.")
    if direct != bool(image):
        raise click.UsageError(
            "Pass --direct and --image together; --image names an image built from this code."
        )
    if options and not direct:
        raise click.UsageError("Pipeline options after -- work only with --direct.")
    _check_options(options)
    to = requests.deployment(request, workers, image=image, pipeline_options=options)
    _check_places(to)
    if not to.streaming and (update or bounds or workers.at_least_once):
        raise click.UsageError(
            "--update, --workers and --at-least-once work only for streaming jobs."
        )
    try:
        if bounds:
            _bound(to, bounds, dry_run=dry_run)
            return
        if drain:
            _drain(to, dry_run=dry_run)
            return
        todo = _steps(to, update=update, first=first)
        if dry_run:
            for step in todo:
                click.echo("\n".join([f"# {step.name}: {step.title}", *step.plan()]))
            return
        changed = apply.take(todo, lambda step: rerun.command(ctx, from_step=step), quiet=quiet)
        click.echo(
            f"\n{changed} of {len(todo)} resources changed." if changed else "\nNothing changed."
        )
        click.echo(f"View the job: {to.console}")
    except StepFailed as error:
        raise click.ClickException(str(error)) from None


def _check_places(to: Deployment) -> None:
    """Refuse files of this machine that the job cannot read, before anything is made or printed.

    Raises:
        click.UsageError: names the launch parameter.
    """
    from pipeline.launch import dataflow, options  # Beam, which takes seconds

    try:
        dataflow.check_places(to.parameters, by_template=to.image is None)
    except options.ParameterError as error:
        raise click.UsageError(f"--parameter: {error}") from None


def _check_options(given: Sequence[str]) -> None:
    """Refuse pipeline options that the launch would refuse, before anything is made.

    Raises:
        click.UsageError: names the option, and the one that was probably meant.
    """
    if not given:
        return
    from pipeline.launch import (
        command_line,
        options,  # Beam, which takes seconds
    )

    ours = {parameter.name for parameter in options.PARAMETERS}
    for word in given:
        name = word.partition("=")[0].removeprefix("--")
        if word.startswith("--") and name in ours:  # an option of `deploy` is checked, and granted
            raise click.UsageError(f"{name}: pass it as --parameter {name}=..., not after --")
    try:
        command_line.refuse_unknown(given)
    except options.ParameterError as error:
        raise click.UsageError(str(error)) from None


def _steps(to: Deployment, *, update: bool, first: str | None) -> list[Step]:
    every = steps(to, update, transform_names())
    names = [step.name for step in every]
    if first and first not in names:
        raise click.UsageError(f"--from: this deployment has no {first} step.")
    return every[names.index(first or names[0]) :]


def _bound(to: Deployment, bounds: tuple[int, int], *, dry_run: bool) -> None:
    job = Job(to, Gcloud(to.project))
    if dry_run:
        click.echo(f"? {job.gcloud.shown(job.list_active)}")
        click.echo(f"+ {job.gcloud.shown(job.bound('JOB_ID', bounds))}")
    else:
        click.echo(bounded(job, bounds))


def _drain(to: Deployment, *, dry_run: bool) -> None:
    job = Job(to, Gcloud(to.project))
    if dry_run:
        click.echo(f"? {job.gcloud.shown(job.list_active)}")
        click.echo(f"+ {job.gcloud.shown(job.drain('JOB_ID'))}")
    else:
        click.echo(drained(job))
    click.echo(
        "\n".join(
            (
                "All other resources still exist. These commands would remove those of this job,"
                " along with unread messages:",
                *removal.of_job(to),
                "Other jobs may use the bucket and the datasets. If none does, these commands would"
                " remove them too, along with the templates and ALL CLAIMS AND ERRORS:",
                *removal.of_all_jobs(to),
            )
        )
    )

"""Runs the steps of a deployment, one after the other."""

from collections.abc import Callable, Sequence

import click
from rich.console import Console

from claims_ops.deploy.causes import remedy
from claims_ops.deployment.gcloud import StepFailed
from claims_ops.deployment.steps import UNCHANGED, Step


def take(todo: Sequence[Step], to_continue: Callable[[str], str], *, quiet: bool = False) -> int:
    """Run the steps, print what each did, and return how many changed something.

    `to_continue` gives the command that continues from a step, for when one stops. `quiet` prints
    only what changed.

    Raises:
        StepFailed: names the step.
    """
    changed = 0
    console = Console(stderr=True, quiet=quiet)
    for step in todo:
        try:
            with console.status(step.title):  # on a terminal only
                done = step.take()
        except (StepFailed, KeyboardInterrupt) as stop:
            click.echo(
                f"Stopped at {step.name} ({step.title})."
                f"{' The earlier steps are done.' if step is not todo[0] else ''}"
                " You can rerun the command: it leaves anything that already exists unchanged.",
                err=True,
            )
            if isinstance(stop, StepFailed):
                click.echo(f"Hint: {remedy(stop.words)}", err=True)
            click.echo(f"To continue: {to_continue(step.name)}", err=True)
            if isinstance(stop, StepFailed):
                raise StepFailed(f"{step.name}: {stop}") from None
            raise
        is_new = not done.startswith(UNCHANGED)
        changed += is_new
        if is_new or not quiet:
            click.echo(f"{step.title}: {done}")
    return changed

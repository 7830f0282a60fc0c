"""Takes the steps, one after the other."""

from collections.abc import Callable, Sequence

import click
from rich.console import Console

from claims_ops.deployment.gcloud import StepFailed
from claims_ops.deployment.steps import EXISTS, Step


def take(todo: Sequence[Step], again: Callable[[str], str], *, quiet: bool = False) -> int:
    """Take the steps, say what each did, and return how many changed something.

    `again` gives the command that goes on from a step, which is said when one stops. `quiet` says
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
            click.echo(f"Stopped at {step.name}: {step.title}. What is done stays.", err=True)
            click.echo(f"Go on with: {again(step.name)}", err=True)
            if isinstance(stop, StepFailed):
                raise StepFailed(f"{step.name}: {stop}") from None
            raise
        is_new = not done.startswith(EXISTS)
        changed += is_new
        if is_new or not quiet:
            click.echo(f"{step.title}: {done}")
    return changed

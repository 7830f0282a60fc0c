"""`claims doctor`: the command line."""

import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from claims_ops.deployment import request as requests
from claims_ops.deployment import rerun
from claims_ops.deployment.names import Deployment, Workers
from claims_ops.deployment.request import DeploymentRequest
from claims_ops.doctor.checkup import SERVICES, checks, chosen
from claims_ops.doctor.examination import Finding, answered, common_cause
from claims_ops.doctor.finding import Status
from claims_ops.shared.counted import counted
from claims_ops.shared.option_types import Number

_COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.UNKNOWN: "yellow"}


@click.command()
@requests.names
@requests.workers
@click.option(
    "--worker-account",
    "account",
    metavar="EMAIL",
    help="Service account of the workers.  [default: NAME-workers@...]",
)
@click.option(
    "--check",
    "wanted",
    type=click.Choice(list(SERVICES)),
    multiple=True,
    metavar="CHECK",
    help=f"Run only this check. Repeatable. Checks: {', '.join(SERVICES)}.",
)
@click.option("--running", is_flag=True, help="Fail if the job is not running.")
@click.option(
    "--timeout",
    type=Number(0.1, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Report a check as unknown if it takes longer than this.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print only the checks that do not pass.")
@click.pass_context
def doctor(
    ctx: click.Context,
    request: DeploymentRequest,
    workers: Workers,
    *,
    account: str | None,
    wanted: tuple[str, ...],
    running: bool,
    timeout: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check a project and a job for problems.

    Runs all checks in parallel and changes nothing. Accepts the options of `claims deploy` that
    describe the deployment, but not those that say what to do with it, such as --update. A check
    passes, fails, or is reported as unknown if the service does not respond or you lack a
    permission. For each check that does not pass, it prints a command that fixes the problem or
    shows more about it. On emulators, it skips the checks that they do not support, such as roles.

    Exits with 1 if a check fails. A table that the launch will create or extend passes.

    \b
    Examples:
      claims doctor --project my-project
      claims doctor --project my-project --running --quiet
      claims doctor --project my-project --check table --check roles --json
    """
    to = requests.deployment(request, workers, account=account)
    setup = _setup(ctx, to, running=running, timeout=timeout)
    names = chosen(setup, wanted)
    left_out = [name for name in SERVICES if name not in names] if not wanted else []
    findings: list[Finding] = []
    console = Console(stderr=True, quiet=quiet or as_json)
    todo = checks(setup, names)
    answers = answered(todo, timeout)
    shown: set[str] = set()
    while True:
        with console.status(f"{len(findings)} of {len(todo)} checks ..."):  # on a terminal only
            finding = next(answers, None)
        if finding is None:
            break
        findings.append(finding)
        cause = common_cause(finding)
        is_new = cause is None or cause not in shown
        if is_new and not (as_json or quiet and finding.verdict.status is Status.PASS):
            click.echo(_line(finding))
        shown |= {cause} if cause else set()
    if as_json:
        click.echo(json.dumps(_document(findings, left_out), indent=2))
    else:
        click.echo(_summary(findings, left_out, len(todo) - len(findings)))
    if any(finding.failed for finding in findings):
        ctx.exit(1)


def _setup(ctx: click.Context, to: Deployment, *, running: bool, timeout: float) -> Any:
    from apache_beam.options.pipeline_options import PipelineOptions

    from claims_ops.doctor.setup import Setup
    from pipeline import clients
    from pipeline.launch import options

    clients.ensure_credentials()
    launch = options.check(PipelineOptions([f"--{k}={v}" for k, v in to.parameters.items()]))
    return Setup(
        to=to,
        launch=launch,
        running=running,
        seconds=0.8 * timeout,  # so that a call ends before we do
        words=tuple(rerun.words(ctx, requests.option_names(requests.names, requests.workers))),
        table_words=tuple(rerun.words(ctx, requests.option_names(requests.tables))),
    )


def _line(finding: Finding) -> str:
    status, message, run = finding.verdict
    mark = click.style(f"{status:<8}", fg=_COLOURS[status])
    line = f"{mark}{finding.check.name:<13} {finding.check.of}: {message}"
    return f"{line}\n{'':8}$ {run}" if run else line


def _summary(findings: Sequence[Finding], left_out: Sequence[str], not_run: int) -> str:
    text = ", ".join(f"{count} {status}" for status, count in _counts(findings).items())
    causes = [common_cause(each) for each in findings]
    if again := len([cause for cause in causes if cause]) - len({*causes} - {None}):
        text += f" ({again} with a cause already shown above)"
    if not_run:
        were = "was" if not_run == 1 else "were"
        text += f"; {counted(not_run, 'check')} {were} not run, because you are not logged in"
    return f"{text}; skipped on emulators: {', '.join(left_out)}" if left_out else text


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    return {
        str(status): sum(each.verdict.status is status for each in findings) for status in Status
    }


def _document(findings: Sequence[Finding], left_out: Sequence[str]) -> dict[str, Any]:
    counts = _counts(findings)
    worst = next(
        status for status in ("fail", "unknown", "pass") if counts[status] or status == "pass"
    )
    return {
        "status": worst,
        "counts": counts,
        "checks": [
            {
                "check": check.name,
                "of": check.of,
                "status": str(verdict.status),
                "message": verdict.message,
                "run": verdict.run,
            }
            for check, verdict in findings
        ],
        "left_out": list(left_out),
    }

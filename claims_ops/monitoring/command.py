"""`claims monitoring`: the command line."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from claims_ops.deployment import request as requests
from claims_ops.deployment.gcloud import Command, Gcloud, StepFailed
from claims_ops.monitoring.documents import ALERTS, alert, dashboard, holds

_POLICIES: Command = ("alpha", "monitoring", "policies")
_DASHBOARDS: Command = ("monitoring", "dashboards")


class _Wanted(NamedTuple):
    """Something that the project should have."""

    kind: Command
    """The group of gcloud's commands about it."""
    flag: str
    """That names its file."""
    document: dict[str, Any]


@click.command()
@requests.monitored
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="NAME",
    help="Notification channel for the alerts, as listed by `gcloud beta monitoring channels"
    " list`. Repeatable.  [default: each alert's existing channels]",
)
@click.option(
    "--without",
    type=click.Choice(ALERTS),
    multiple=True,
    metavar="ALERT",
    help=f"Do not create or change this alert. Repeatable. Alerts: {', '.join(ALERTS)}.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print what would change instead of changing anything."
)
def monitoring(
    request: requests.MonitoringRequest,
    channels: tuple[str, ...],
    without: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Create or update a project's dashboard and alerts.

    Compares the project with the files in monitoring/ and changes only what differs, so a second
    run changes nothing. Settings that Google adds, and the channels of each alert, are kept. It
    deletes nothing. Requires gcloud with an active login, and roles/monitoring.editor.

    \b
    Examples:
      claims monitoring --project my-project --dry-run
      claims monitoring --project my-project \\
        --channel projects/my-project/notificationChannels/1234567890
      claims monitoring --project my-project --without dead_letters
    """
    name = requests.checked_name(request.name)
    gcloud = Gcloud(requests.project(request))
    policies = [alert(each, name, channels) for each in ALERTS if each not in without]
    wanted = [
        _Wanted(_DASHBOARDS, "--config-from-file", dashboard(name)),
        *(_Wanted(_POLICIES, "--policy-from-file", each) for each in policies),
    ]
    changed = 0
    try:
        for each, outcome in _applied(wanted, gcloud, dry_run=dry_run):
            changed += outcome != "unchanged"
            click.echo(f"{outcome:<15} {each.document['displayName']}")
    except StepFailed as error:
        raise click.ClickException(str(error)) from None
    if dry_run:
        click.echo(f"\n{changed} of {len(wanted)} would change.")
    else:
        click.echo(f"\n{changed} of {len(wanted)} changed." if changed else "\nNothing changed.")


def _applied(
    wanted: Sequence[_Wanted], gcloud: Gcloud, *, dry_run: bool
) -> Iterator[tuple[_Wanted, str]]:
    """Each of them, with what was done about it.

    Raises:
        StepFailed: gcloud refuses.
    """
    there = {
        kind: {each["displayName"]: each for each in gcloud.read((*kind, "list")) or ()}
        for kind in (_DASHBOARDS, _POLICIES)
    }
    for each in wanted:
        found = there[each.kind].get(each.document["displayName"])
        if found is not None and holds(found, each.document):
            yield each, "unchanged"
        elif dry_run:
            yield each, "would create" if found is None else "would update"
        else:
            _write(each, found, gcloud)
            yield each, "created" if found is None else "updated"


def _write(wanted: _Wanted, found: Mapping[str, Any] | None, gcloud: Gcloud) -> None:
    # An update names the version that it replaces; an alert keeps the channels that it has.
    names = ("etag", "notificationChannels")
    kept = {} if found is None else {name: found[name] for name in names if name in found}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "document.json"
        file.write_text(json.dumps({**kept, **wanted.document}))
        verb = ("create",) if found is None else ("update", str(found["name"]))
        gcloud.run((*wanted.kind, *verb, f"{wanted.flag}={file}"))

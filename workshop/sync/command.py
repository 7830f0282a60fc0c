"""`claims sync`: writes the files that are generated from the code, or checks them."""

import difflib
from collections.abc import Callable
from pathlib import Path

import click

from workshop.sync import (
    column_table,
    command_pages,
    cost_tables,
    metric_table,
    parameter_table,
    terraform,
)
from workshop.sync.generated_block import MarkersMissing, with_block
from workshop.sync.metadata import metadata_json

_CHECKOUT = Path(__file__).parents[2]
# Path -> what it should hold, from what it holds now.
_GENERATED: dict[str, Callable[[str], str]] = {
    "metadata.json": lambda _: metadata_json(),
    "docs/operate/capacity.md": lambda text: with_block(
        text, "workshop/sync/prices.json", cost_tables.rows()
    ),
    "docs/reference/commands.md": lambda text: with_block(
        text, "every command's --help", command_pages.rows()
    ),
    "docs/reference/metrics.md": lambda text: with_block(
        text, "pipeline/transforms/metrics.py", metric_table.rows()
    ),
    "docs/reference/parameters.md": lambda text: with_block(
        text, "pipeline/launch/options.py", parameter_table.rows()
    ),
    "docs/reference/tables.md": lambda text: with_block(
        text, "pipeline/claims/tables.py", column_table.rows()
    ),
    "terraform/parameters.tf": lambda _: terraform.parameters_tf(),
    "terraform/deployment.tf": lambda _: terraform.deployment_tf(),
    "terraform/tables/claims.json": lambda _: terraform.table_json("claims"),
    "terraform/tables/errors.json": lambda _: terraform.table_json("errors"),
}


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; print a diff and exit with 1 if a file is out of date.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=_CHECKOUT,
    help="Checkout to work on.  [default: the checkout this package is installed from]",
)
def sync(check: bool, root: Path) -> None:
    """Regenerate the files and tables derived from the code.

    Run this after changing a launch parameter, a metric, a column, the claim schema or a command's
    help. Do not edit generated blocks by hand; the first line of each names its source.

    \b
    Examples:
      claims sync
      claims sync --check
    """
    found = {name: _text(root / name) for name in _GENERATED}
    wanted = {name: _wanted(name, found[name]) for name in _GENERATED}
    outdated = [name for name in _GENERATED if found[name] != wanted[name]]
    for name in _GENERATED:
        if name not in outdated:
            click.echo(f"{name} is up to date")
        elif check:
            click.echo(_difference(name, found[name], wanted[name]))
        else:
            (root / name).write_text(wanted[name])
            click.echo(f"{name} written")
    if check and outdated:
        raise click.ClickException(f"out of date: {', '.join(outdated)}; run claims sync")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _wanted(name: str, found: str) -> str:
    try:
        return _GENERATED[name](found)
    except MarkersMissing as error:
        raise click.ClickException(f"{name}: {error}") from None


def _difference(name: str, found: str, wanted: str) -> str:
    # As much context as a parameter has lines, so that its name is among them.
    lines = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), name, f"{name} as it should be", n=12, lineterm=""
    )
    return "\n".join(lines)

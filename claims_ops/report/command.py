"""`claims report`: pages about the two tables, for people; and the same as JSON."""

import os
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import click

from claims_ops.report.measures import Scope, measure
from claims_ops.shared import table_options
from claims_ops.shared.claim_times import PROCESSING, TIMES
from claims_ops.shared.option_types import Instant
from claims_ops.shared.queries import Queries, connect
from pipeline.claims.tables import TableName

NEEDED = "a report needs {}, which is not installed; run make setup in a checkout"
PAGES = "provider-*.html"
"""The pages of providers in a folder. Their names hold no id: ids are values."""


@click.command()
@table_options.output_table
@table_options.error_table
@click.option(
    "--since",
    type=Instant(),
    metavar="TIME",
    help="Only rows at or after this time; --by selects which time.",
)
@click.option(
    "--until",
    type=Instant(),
    metavar="TIME",
    help="Only rows before this time; --by selects which time.",
)
@click.option(
    "--by",
    type=click.Choice(list(TIMES)),
    default=PROCESSING,
    show_default=True,
    help="Time used by --since, --until and the plots. With service_date or submission_date,"
    " rejected messages are left out, because they have no such date.",
)
@click.option(
    "--provider",
    metavar="ID",
    help="Write the page for this provider, even if it does not stand out.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="File to write; - writes to stdout.  [default: report.html; stdout with --json]",
)
@click.option(
    "--pages",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write to a folder instead: index.html, and a page for each provider that stands out.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write the figures as JSON instead of a page."
)
@click.option(
    "--include-claims",
    is_flag=True,
    help="Also list the riskiest claims. The page then contains health data.",
)
@table_options.payer
def report(
    output_table: TableName,
    error_table: TableName,
    since: datetime | None,
    until: datetime | None,
    by: str,
    provider: str | None,
    output: str | None,
    folder: Path | None,
    as_json: bool,
    include_claims: bool,
    project: str | None,
) -> None:
    """Write an HTML report on the claims in a time range.

    Shows what stands out, which providers differ from their peers and why, and what each threshold
    would flag and how often it would be right. Also shows volumes, amounts, rejections and latency.
    The HTML has no scripts and loads no external resources. Without --include-claims, the report
    contains no claim IDs, patient IDs or individual claim amounts. It has provider IDs, counts,
    rounded sums, and the most frequent evidence for a provider's risk reasons, such as units or
    days, which may come from a single claim. docs/operate/report.md explains each part.

    \b
    Examples:
      claims report --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --since 2026-11-23 --until 2026-11-24
      claims report --output-table my-project.claims.claims \\
        --error-table my-project.claims.errors --by service_date --pages report
    """
    table_options.check_range(since, until)
    if folder and (output or provider is not None or as_json):
        raise click.UsageError("--pages cannot be combined with --output, --provider or --json.")
    scope = Scope(output_table, error_table, since, until, by, provider)
    target = output or ("-" if as_json else "report.html")
    with connect(project or output_table.project) as queries:
        for table in (output_table, error_table):
            if not queries.has(table):
                raise click.ClickException(f"table {table} does not exist")
        if as_json:
            text = _page().document(measure(queries, scope, include_claims), scope)
            _save(text, Path(target), private=include_claims)
        elif folder:
            write_pages(queries, scope, folder, include_claims)
        else:
            write(queries, scope, target, include_claims)
    if folder or target != "-":
        click.echo(f"Report written to {folder / 'index.html' if folder else target}")


def write(queries: Queries, scope: Scope, output: str | Path, include_claims: bool = False) -> None:
    """Query BigQuery and write the page; a file is written whole or not at all.

    Raises:
        click.ClickException: a package is missing, or BigQuery does not answer.
        OSError: the file cannot be written.
    """
    page = _page()
    # The page of one provider has its claims from the query of all pages.
    measures = measure(queries, scope, include_claims, pages=scope.provider is not None)
    now = datetime.now(UTC)
    if scope.provider is None:
        text = page.render(measures, scope, now)
    else:
        text = page.render_provider(measures.providers[0], measures, scope, now)
    _save(text, Path(output), private=include_claims)


def write_pages(queries: Queries, scope: Scope, folder: Path, include_claims: bool = False) -> None:
    """Query BigQuery and write the page of all claims and those of providers.

    Raises:
        click.ClickException: as `write` does.
        OSError: as `write` does.
    """
    page = _page()
    measures = measure(queries, scope, include_claims, pages=True)
    now = datetime.now(UTC)
    names = {place: f"provider-{place + 1:02}.html" for place in range(len(measures.providers))}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(PAGES):
        old.unlink()  # of a report with more providers
    for place, provider in enumerate(measures.providers):
        text = page.render_provider(provider, measures, scope, now, page.INDEX)
        _save(text, folder / names[place], private=include_claims)
    _save(page.render(measures, scope, now, names), folder / page.INDEX, private=include_claims)


def _page() -> ModuleType:
    """The module that needs packages beyond those of the image.

    Raises:
        click.ClickException: one is missing.
    """
    try:
        from claims_ops.report import page
    except ModuleNotFoundError as missing:
        raise click.ClickException(NEEDED.format(missing.name)) from None
    return page


def _save(page: str, path: Path, *, private: bool) -> None:
    """A private page is for its owner only, as is a file that it replaces."""
    is_file = path.is_file()
    if private and is_file:
        path.chmod(0o600)
    mask = os.umask(0o077) if private else None
    try:
        # A device such as /dev/stdout is written to, not replaced.
        atomic = is_file or not path.exists()
        with click.open_file(str(path), "w", encoding="utf-8", atomic=atomic) as file:
            file.write(page)
    finally:
        if mask is not None:
            os.umask(mask)

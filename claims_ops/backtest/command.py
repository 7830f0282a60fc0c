"""`claims backtest`: what other rules would flag, beside what is flagged today."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from claims_ops.backtest import page, summary
from claims_ops.backtest.comparison import Batch, Comparison, Outcome
from claims_ops.backtest.sources import DAYS, Selection, of_files, stored
from claims_ops.backtest.stored_claims import columns_read, files_read
from claims_ops.shared import file_options, table_options
from claims_ops.shared.documents import contract_of, map_of, rules_of
from claims_ops.shared.message_files import looked_at, messages
from claims_ops.shared.option_types import BigqueryTable, Number
from claims_ops.shared.progress import ProgressLine
from claims_ops.shared.queries import connect
from claims_ops.shared.spreadsheet import inert, row_writer
from pipeline.claims.columns import Columns
from pipeline.claims.contract import Contract
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.judgement import Basis, Judgement
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.rules import Rules
from pipeline.claims.signals.facts import Facts
from pipeline.claims.signals.published_table import InvalidReference
from pipeline.claims.signals.table import SOURCES
from pipeline.claims.stages import Map, Parse, ParseDocuments, Stage, Validate
from pipeline.claims.tables import TableName
from pipeline.reference.files import FileUnusable, look
from pipeline.reference.watch import load

Command = TypeVar("Command", bound=Callable[..., Any])

_TEMPLATE = "the template's own rules"
_CHANGED = ("claim_id", "provider_id", "claim_amount", "score_today", "score_tried", "flagged",
            "reasons_today", "reasons_tried")  # fmt: skip


def _reference_options(command: Command) -> Command:
    """An option for each list and profile, named as the launch parameter."""
    options = [
        click.option(
            f"--{name.replace('_', '-')}",
            metavar="FILE",
            help=f"Same as the launch parameter {name}; a local file or a gs:// path.",
        )
        for name in SOURCES
    ]
    return reduce(lambda made, option: option(made), reversed(options), command)


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option(
    "--output-table",
    type=BigqueryTable(),
    metavar="PROJECT.DATASET.TABLE",
    help="Rescore the current claims in this table instead of files.",
)
@click.option("--rules", metavar="FILE", help="Rules to try.  [default: the template's own]")
@click.option(
    "--threshold",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    help="Score above which a claim would be flagged.",
)
@_reference_options
@click.option(
    "--against",
    metavar="FILE",
    help="Today's rules.  [default: the table's stored scores; for files, the template's own]",
)
@click.option(
    "--against-threshold",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    help="Today's threshold. Used only with --against or with files.",
)
@click.option("--schema", metavar="FILE", help="Claim schema.  [default: the template's own]")
@table_options.since
@table_options.until
@click.option(
    "--sample",
    type=Number(0, 100, min_open=True),
    default=100.0,
    show_default=True,
    metavar="PERCENT",
    help="Percentage of the table's claims to rescore.",
)
@click.option(
    "--by",
    type=click.Choice(DAYS),
    default=DAYS[0],
    show_default=True,
    help="Date to group the results by.",
)
@file_options.claim_map
@file_options.input_format
@file_options.delimiter
@file_options.encoding
@click.option(
    "--changed",
    metavar="FILE",
    help="Also write the claims whose flag changes, as CSV. The file contains health data.",
)
@click.option("--html", metavar="FILE", help="Also write an HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
@table_options.payer
def backtest(
    files: tuple[str, ...],
    output_table: TableName | None,
    rules: str | None,
    threshold: float,
    against: str | None,
    against_threshold: float,
    schema: str | None,
    since: datetime | None,
    until: datetime | None,
    sample: float,
    by: str,
    map_name: str | None,
    input_format: str | None,
    csv_delimiter: str,
    csv_encoding: str,
    changed: str | None,
    html: str | None,
    as_json: bool,
    quiet: bool,
    project: str | None,
    **references: str | None,
) -> None:
    """Compare what other rules would flag with what is flagged today.

    Rescores the current claims in a table, or the claims in FILES (- for stdin; read as the
    pipeline reads them), with the given rules, threshold, lists and profiles. Shows how many
    claims, and what amount, would be newly flagged or no longer flagged, by rule, provider and day.
    If dispositions or labels say which claims were improper, it also shows precision, recall and
    the amount recovered. It does not write to any table. docs/operate/decide.md explains the
    results.

    \b
    Examples:
      claims backtest --output-table my-project.claims.claims --rules new_rules.json
      claims backtest --output-table my-project.claims.claims --threshold 0.4 --since 2026-11-01 \\
        --provider-profile 'gs://my-bucket/reference/provider_profile*.csv' \\
        --claim-percentiles 'gs://my-bucket/reference/claim_percentiles*.csv' --html backtest.html
      claims backtest --rules new_rules.json claims.ndjson
    """
    if bool(files) == bool(output_table):
        raise click.UsageError("Pass either --output-table or files, not both.")
    if files and (since or until or sample < 100 or by == DAYS[2]):
        raise click.UsageError(
            "--since, --until, --sample and --by processing_time work only with --output-table."
        )
    table_options.check_range(since, until)
    contract = contract_of(schema)
    lookups = _lookups(references)
    facts = Facts(lookups)
    given = _risk_rules(rules, contract)
    read = columns_read(given)
    tried, today = Judgement(Basis(given, lookups), threshold, facts), None
    unpassed = files_read(given) - lookups.keys()
    if against or files:
        given = _risk_rules(against, contract)
        read |= columns_read(given)
        today = Judgement(Basis(given, lookups), against_threshold, facts)
    counts: Counter[str] = Counter()
    comparison = Comparison()
    began = time.monotonic()
    with ExitStack() as stack:
        if output_table:
            queries = stack.enter_context(connect(project or output_table.project))
            if not queries.has(output_table):
                raise click.ClickException(f"table {output_table} does not exist")
            selection = Selection(output_table, since, until, sample)
            batches = stored(queries, selection, contract, read, by, comparison)
        else:
            dialect = Dialect(csv_delimiter, csv_encoding)
            is_x12, placed = looked_at(
                chain.from_iterable(messages(path, input_format, dialect) for path in files),
                input_format,
            )
            claim_map = map_of(map_name or (FORMATS["X12"].claim_map if is_x12 else None))
            stages = _stages(contract, claim_map, input_format)
            batches = of_files(placed, stages, contract, by, counts)
        line = stack.enter_context(
            closing(ProgressLine("claims", hidden=quiet or as_json, has_end=False))
        )
        writer = _changed_file(stack.enter_context(_private(changed))) if changed else None
        for batch in batches:
            _compare(comparison, batch, facts.of(batch.claims), (today, tried), writer)
            line.update(comparison.everything.claims)
    figures = summary.figures(
        comparison,
        {
            "claims_of": str(output_table) if output_table else "files",
            "rules_today": against or (_TEMPLATE if files else summary.STORED),
            "rules_tried": rules or _TEMPLATE,
            "threshold_tried": threshold,
            "sample_percent": sample,
            "by": by,
            "seconds": round(time.monotonic() - began, 1),
            **({"rejected_messages": counts["rejected"]} if files else {}),
            "notes": [] if today else summary.notes(comparison.scored_with, unpassed),
        },
    )
    if html:
        Path(html).write_text(page.render(figures), encoding="utf-8")
    click.echo(json.dumps(figures, indent=2) if as_json else summary.text(figures))


def _risk_rules(path: str | None, contract: Contract) -> Rules:
    """The rules of a file, or of the package, without those of quality: they flag nothing."""
    rules = rules_of(path, contract)
    rules.quality = ()
    return rules


def _lookups(references: dict[str, str | None]) -> dict[str, Any]:
    lookups = {}
    for name, path in references.items():
        if path is None:
            continue
        try:
            lookups[name] = load(look(path), SOURCES[name]).content
        except (FileUnusable, InvalidReference) as error:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option}: {path}: {error}") from None
    return lookups


def _stages(
    contract: Contract, claim_map: ClaimMap | None, input_format: str | None
) -> list[Stage]:
    if claim_map is None:
        return [Parse(contract), Validate(contract)]
    documents = ParseDocuments(FORMATS[input_format or "JSON"].decode)
    return [documents, Map(claim_map, contract), Validate(contract)]


def _compare(
    comparison: Comparison,
    batch: Batch,
    facts: Columns,
    judgements: tuple[Judgement | None, Judgement],
    changed: Callable[[Iterable[Any]], Any] | None,
) -> None:
    today, tried = judgements
    before = batch.stored if today is None else _outcome(today, facts)
    if before is None:
        raise AssertionError("claims from files are judged by today's rules")
    after = _outcome(tried, facts)
    for place in comparison.add(batch, before, after):
        if changed is not None:
            changed(_changed_row(batch, before, after, place))


def _outcome(judgement: Judgement, facts: Columns) -> Outcome:
    columns = judgement.columns(judgement.fired_on(facts))
    return Outcome(columns["fraud_risk_score"], columns["high_risk_flag"], columns["risk_reasons"])


def _changed_row(batch: Batch, before: Outcome, after: Outcome, place: int) -> Iterator[Any]:
    for name in _CHANGED[:3]:
        value = batch.claims[name][place]
        yield inert(value) if isinstance(value, str) else value
    yield from (before.scores[place], after.scores[place])
    yield "newly" if after.flags[place] else "no longer"
    yield from (inert(" ".join(each.reasons[place])) for each in (before, after))


def _changed_file(file: IO[str]) -> Callable[[Iterable[Any]], Any]:
    write = row_writer(file)
    write(_CHANGED)
    return write


def _private(path: str) -> IO[str]:
    """A file for its owner only."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8",
                newline="")  # fmt: skip

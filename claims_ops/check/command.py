"""`claims check`: what would become of claims, for producers and authors of claim maps."""

import json
from itertools import chain
from typing import Any

import click

from claims_ops.check.judgement import Documents, Judgement, judge
from claims_ops.shared import file_options
from claims_ops.shared.counted import counted
from claims_ops.shared.documents import contract_of, map_of, rules_of
from claims_ops.shared.message_files import looked_at, messages
from claims_ops.shared.option_types import Number
from claims_ops.shared.terminal import printable
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.formats.table import FORMATS


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@file_options.claim_map
@click.option("--schema", metavar="FILE", help="Claim schema.  [default: the template's own]")
@click.option(
    "--rules", metavar="FILE", help="Risk and quality rules.  [default: the template's own]"
)
@file_options.input_format
@file_options.delimiter
@file_options.encoding
@click.option(
    "--threshold",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    help="Score above which a claim counts as high risk.",
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Print the first N mapped claims, including their values.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def check(
    files: tuple[str, ...],
    map_name: str | None,
    schema: str | None,
    rules: str | None,
    input_format: str | None,
    csv_delimiter: str,
    csv_encoding: str,
    threshold: float,
    show: int,
    as_json: bool,
) -> None:
    """Show what the pipeline would do with the claims in FILES (- for stdin).

    Reads JSON, newline-delimited JSON, CSV and X12 837, compressed or not. Maps, validates and
    scores the claims as the pipeline does, but without reference files or provider profiles:
    signals that need them are null, and rules on those signals do not fire. To score with those
    files, use `claims backtest`. Prints no claim values unless you pass --show. Exits with 1 if
    anything is rejected.

    \b
    Examples:
      claims check claims.ndjson
      claims check --map fhir_r4_claim --show 1 claim.json
      claims check --map my.jsonata --csv-delimiter '|' export.csv.gz
    """
    dialect = Dialect(csv_delimiter, csv_encoding)
    contract = contract_of(schema)
    given_rules = rules_of(rules, contract)
    is_x12, placed = looked_at(
        chain.from_iterable(messages(path, input_format, dialect) for path in files),
        input_format,
    )
    claim_map = map_of(map_name or (FORMATS["X12"].claim_map if is_x12 else None))
    documents = Documents(contract, given_rules, claim_map, input_format or "JSON", threshold)
    judgement = judge(placed, documents, show)
    click.echo(
        json.dumps(_figures(judgement), indent=2, default=str) if as_json else _text(judgement)
    )
    if judgement.rejected:
        click.get_current_context().exit(1)


def _figures(judgement: Judgement) -> dict[str, Any]:
    counts = judgement.counts

    def fired(kind: str) -> dict[str, int]:
        found = {name.removeprefix(kind): n for name, n in counts.items() if name.startswith(kind)}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    return {
        "messages": judgement.messages,
        "claims": judgement.claims,
        "rejected": judgement.rejected,
        "skipped": counts["skipped"],
        "high_risk": counts["high_risk"],
        "causes": [
            {**cause._asdict(), "count": count, "first": judgement.places[cause]}
            for cause, count in judgement.causes.most_common()
        ],
        "risk_rules": fired("rule_"),
        "quality_rules": fired("quality_"),
        **({"hints": judgement.hints} if judgement.hints else {}),
        **({"shown": judgement.shown} if judgement.shown else {}),
    }


def _text(judgement: Judgement) -> str:
    figures = _figures(judgement)
    lines = [json.dumps(claim, indent=2, default=str) for claim in judgement.shown]
    lines.append(
        f"{counted(figures['messages'], 'message')}:"
        f" {counted(figures['claims'], 'claim')} accepted,"
        f" {figures['rejected']:,} rejected"
        + (f", {figures['skipped']:,} skipped by the map" if figures["skipped"] else "")
    )
    for cause in figures["causes"]:
        code = f"{cause['stage']} {cause['error_code']}"
        lines.append(f"  {cause['count']:,} {code}: {cause['error']}")
        lines.append(f"    first at {', '.join(map(printable, cause['first']))}")
    lines.append(f"high risk: {counted(figures['high_risk'], 'claim')}")
    for title, name in (("risk rules", "risk_rules"), ("quality rules", "quality_rules")):
        if figures[name]:
            lines.append(f"{title} that fired:")
            lines += [f"  {count:,} {rule}" for rule, count in figures[name].items()]
    lines += [f"hint: {hint}" for hint in judgement.hints]
    return "\n".join(lines)

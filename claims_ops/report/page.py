"""The pages: HTML files without scripts that load nothing else."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined

from claims_ops.report import (
    sections_providers,
    sections_rejections,
    sections_risk,
    sections_rules,
    sections_thresholds,
    sections_time,
)
from claims_ops.report.document import document
from claims_ops.report.findings import findings
from claims_ops.report.measures import CLAIMS, Measures, Provider, Scope
from claims_ops.report.section import Section, Tile
from claims_ops.report.text import NONE, change, count, dollars, duration, instant, share
from claims_ops.shared.claim_times import PROCESSING

__all__ = ["INDEX", "document", "render", "render_provider"]

INDEX = "index.html"


def render(
    measures: Measures, scope: Scope, now: datetime, pages: Mapping[int, str] | None = None
) -> str:
    """The page of all claims; `pages` are those of providers, by their place."""
    return _fill(
        measures,
        scope,
        now,
        title="Claims report",
        home="",
        tiles=tiles(measures, scope),
        findings=findings(measures),
        sections=sections(measures, scope, pages or {}),
        has_claims=CLAIMS in measures.answers,
    )


def render_provider(
    provider: Provider, measures: Measures, scope: Scope, now: datetime, home: str = ""
) -> str:
    """The page of a provider; `home` is the page of all claims, where there is one."""
    row = provider.row
    said = [f"It stands out for {sections_providers.sets_apart(row)}."] if row["reason"] else []
    return _fill(
        measures,
        scope,
        now,
        title=f"Provider {row['provider_id']}",
        home=home,
        tiles=sections_providers.tiles(provider),
        findings=said,
        sections=sections_providers.sections(provider, measures),
        has_claims=provider.claims is not None,
    )


def sections(measures: Measures, scope: Scope, pages: Mapping[int, str]) -> list[Section]:
    """In the order of the page; two that are not wide stand side by side."""
    made = [
        sections_providers.providers(measures, pages),
        sections_thresholds.thresholds(measures),
        sections_rules.reasons(measures),
        sections_rules.regions(measures),
        sections_time.volumes(measures),
        sections_risk.amount_by_score(measures),
        sections_rules.quality(measures),
    ]
    if scope.has_errors:
        made += [sections_rejections.rejections(measures), sections_rejections.violations(measures)]
        if not measures.is_backfill:
            made.append(sections_time.latency(measures))
    return [*made, sections_risk.riskiest_claims(measures)] if CLAIMS in measures.answers else made


def tiles(measures: Measures, scope: Scope) -> list[Tile]:
    """The figures at the top."""
    claims, messages = measures.claims_totals, measures.claims + measures.rejected
    before = measures.previous or {}
    high_risk, amount = claims["high_risk_claims"], claims["total_amount"]

    def tile(label: str, name: str, value: str, note: str, kind: str, now: object) -> Tile:
        compared = change(now, before.get(name))  # type: ignore[arg-type]
        return Tile(label, value, note, kind, compared and f"{compared} from the previous period")

    found = [
        tile(
            "Claims scored",
            "claims",
            count(measures.claims),
            f"{measures.current:,} current",
            "claims",
            measures.claims,
        ),
        tile(
            "High risk",
            "high_risk_claims",
            count(high_risk),
            f"{share(high_risk, measures.current)} of {measures.current:,} current claims",
            "risk",
            high_risk,
        ),
        tile(
            "High-risk amount",
            "high_risk_amount",
            dollars(claims["high_risk_amount"]),
            f"{share(claims['high_risk_amount'], amount)} of {dollars(amount)}",
            "risk",
            claims["high_risk_amount"],
        ),
    ]
    if not scope.has_errors:
        return found
    rejected = tile(
        "Rejected",
        "rejected",
        count(measures.rejected),
        f"{share(measures.rejected, messages)} of messages",
        "rejected",
        measures.rejected,
    )
    found = [
        Tile("Messages", count(messages), "scored or rejected"),
        found[0],
        rejected,
        *found[1:],
    ]
    if claims["latency_p95_ms"] is None:
        return found
    late = f"95% within {duration(claims['latency_p95_ms'])}"
    return [*found, Tile("Latency, median", duration(claims["latency_p50_ms"]), late)]


def _fill(measures: Measures, scope: Scope, now: datetime, **parts: object) -> str:
    environment = Environment(
        loader=PackageLoader("claims_ops.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    by_day = scope.by != PROCESSING
    return environment.get_template("page.html").render(
        scope=scope,
        made=instant(now),
        version=version("claims-pipeline"),
        first=instant(measures.first_seen, 86_400 if by_day else 1),
        last=instant(measures.last_seen, 86_400 if by_day else 1),
        rows=_rows(scope),
        base=_base(measures),
        repeated_rows=measures.repeated_rows,
        versions=[
            (name, measures.claims_totals[f"{name}_versions"] or NONE)
            for name in ("rules", "contract", "pipeline")
        ],
        **parts,
    )


def _base(measures: Measures) -> str:
    """What is counted, and when a claim is improper."""
    counted = (
        "Current claims are those that no later claim has replaced or voided. Messages, claims"
        " scored, volumes and latency count all rows; everything else counts current claims only."
        if measures.claims_totals["is_current"]
        else "The current-claims view is missing, so replaced and voided claims are counted"
        " throughout."
    )
    return (
        f"{counted} A claim is improper if a disposition (or, without one, a label) says that it"
        " should not have been paid as billed; judged claims are those that have one or the other."
    )


def _rows(scope: Scope) -> str:
    bounds: Sequence[tuple[str, datetime | None]] = (
        ("since", scope.since),
        ("before", scope.until),
    )
    given = " and ".join(f"{word} {instant(at)} UTC" for word, at in bounds if at)
    if scope.by == PROCESSING:
        return f"rows written {given}" if given else "all rows"
    return f"claims by {scope.by.replace('_', ' ')}{', ' if given else ''}{given}"

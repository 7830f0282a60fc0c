"""The page: one HTML file that asks for nothing else, without script."""

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined

from claims_ops.report import sections_rejections, sections_risk, sections_rules, sections_time
from claims_ops.report.measures import CLAIMS, Measures, Scope
from claims_ops.report.section import Section, Tile
from claims_ops.report.text import NONE, compact, count, duration, instant, share


def render(measures: Measures, scope: Scope, now: datetime) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("claims_ops.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        scope=scope,
        made=instant(now),
        version=version("claims-pipeline"),
        first=instant(measures.first_seen),
        last=instant(measures.last_seen),
        rows=_rows(scope),
        tiles=tiles(measures),
        findings=findings(measures),
        sections=sections(measures),
        has_claims=CLAIMS in measures.answers,
        repeated_rows=measures.repeated_rows,
        versions=[
            (name, measures.claims_totals[f"{name}_versions"] or NONE)
            for name in ("rules", "contract", "pipeline")
        ],
    )


def sections(measures: Measures) -> list[Section]:
    """In the order of the page; two that are not wide stand side by side."""
    made = [
        sections_time.volumes(measures),
        sections_risk.providers(measures),
        sections_rules.reasons(measures),
        sections_risk.thresholds(measures),
        sections_risk.amount_by_score(measures),
        sections_rules.regions(measures),
        sections_rules.quality(measures),
        sections_rejections.rejections(measures),
        sections_rejections.violations(measures),
        sections_time.latency(measures),
    ]
    return [*made, sections_risk.riskiest_claims(measures)] if CLAIMS in measures.answers else made


def tiles(measures: Measures) -> list[Tile]:
    """The figures at the top."""
    claims, messages = measures.claims_totals, measures.claims + measures.rejected
    high_risk, amount = claims["high_risk_claims"], claims["total_amount"]
    return [
        Tile("Messages", count(messages), "scored or rejected"),
        Tile("Claims scored", count(measures.claims), _of(measures.claims, messages), "claims"),
        Tile("Rejected", count(measures.rejected), _of(measures.rejected, messages), "rejected"),
        Tile(
            "High risk", count(high_risk), f"{share(high_risk, measures.claims)} of claims", "risk"
        ),
        Tile(
            "High-risk amount",
            _dollars(claims["high_risk_amount"]),
            f"{share(claims['high_risk_amount'], amount)} of {_dollars(amount)}"
            + (", replaced and voided claims left out" if claims["is_current"] else ""),
            "risk",
        ),
        Tile(
            "Latency, median",
            duration(claims["latency_p50_ms"]),
            f"95 of 100 within {duration(claims['latency_p95_ms'])}",
        ),
    ]


def findings(measures: Measures) -> list[str]:
    """The findings that stand out, one sentence each."""
    said = []
    answers = measures.answers
    if top := next(iter(answers["providers"]), None):
        said.append(
            f"Provider {top['provider_id']} has the most high-risk claims:"
            f" {top['high_risk_claims']:,} of {top['claims']:,}."
        )
    if top := next((row for row in answers["rules_fired"] if row["kind"] == "risk"), None):
        said.append(
            f"Risk rule {top['rule']} fires most often: on"
            f" {share(top['claims'], measures.claims)} of claims."
        )
    if top := next(iter(answers["rejections"]), None):
        said.append(
            f"The most frequent rejection is {top['error_code']}:"
            f" {top['messages']:,} of {measures.rejected:,}."
        )
    issues = measures.claims_totals["claims_with_quality_issues"]
    if issues:
        said.append(
            f"{issues:,} claims ({share(issues, measures.claims)}) have a gap in their data."
        )
    return said


def _of(part: int, whole: int) -> str:
    return f"{share(part, whole)} of messages"


def _dollars(amount: object) -> str:
    return NONE if amount is None else f"${compact(amount)}"  # type: ignore[arg-type]


def _rows(scope: Scope) -> str:
    bounds: Sequence[tuple[str, datetime | None]] = (
        ("since", scope.since),
        ("before", scope.until),
    )
    bounds_given = [f"{word} {instant(at)} UTC" for word, at in bounds if at]
    return f"rows made {' and '.join(bounds_given)}" if bounds_given else "all rows"

"""Providers that stand out from their peers, and the page of one of them."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from claims_ops.report.meanings import meaning
from claims_ops.report.measures import CLAIMS, Measures, Provider, Row, every_step
from claims_ops.report.plot_time import Panel, over_time
from claims_ops.report.section import Section, Table, Tile, with_note
from claims_ops.report.sections_risk import claims_table
from claims_ops.report.sparkline import sparkline
from claims_ops.report.svg import draw
from claims_ops.report.text import NONE, compact, count, dollars, instant, share, step
from claims_ops.shared.counted import counted

_LINK = Markup('<a href="{}">{}</a>')
_PANELS = (
    Panel("Claims", "claims", "var(--claims)"),
    Panel("Of these, with a risk reason", "claims_with_reasons", "var(--risk)"),
)
_COUNTS = ("claims", "claims_with_reasons", "high_risk_claims")


def providers(measures: Measures, pages: Mapping[int, str]) -> Section:
    """Where to begin to look; `pages` are the pages of providers by their place."""
    rows = [
        (
            _LINK.format(pages[place], each.row["provider_id"])
            if place in pages
            else each.row["provider_id"],
            with_note(sets_apart(each.row), _evidence(each)),
            ", ".join(f"{row['reason']} {row['claims']:,}" for row in each.reasons),
            count(each.row["claims"]),
            count(each.row["high_risk_claims"]),
            compact(each.row["total_amount"], 2),
            f"{each.row['mean_score']:.2f}",
            _trend(each, measures),
        )
        for place, each in enumerate(measures.providers)
    ]
    typical = measures.providers[0].row["typical_score"] if rows else 0
    return Section(
        id="providers",
        short="Providers",
        title="Providers that stand out",
        lead="Providers for whom a reason fires at a very different rate than for their peers"
        " (other providers of the same specialty). Their size does not matter. A typical provider"
        f" has a mean score of {typical:.2f}. Where it is known which claims were improper, reasons"
        " whose claims were improper less often than average come last. Trend: claims over time;"
        " those with a reason are drawn in front. Amounts are rounded to two significant digits.",
        query="providers",
        empty="No provider stands out.",
        tables=[
            Table(
                "Providers that stand out",
                (
                    "provider ",
                    "stands out for ",
                    "reasons (claims with each) ",
                    "claims",
                    "high-risk",
                    "amount ($)",
                    "mean score",
                    "trend ",
                ),
                rows,
                open=True,
                cards=True,
            )
        ],
        wide=True,
    )


def sets_apart(row: Row) -> str:
    """What sets a provider apart: `duplicate_line on 30 of 35 claims (85.7%), peers 1.5%`."""
    if row["reason"] is None:
        return "nothing"
    own = f"{row['reason_claims']:,} of {row['claims']:,} claims"
    rate, peers = share(row["reason_claims"], row["claims"]), share(row["peer_rate"], 1)
    return f"{row['reason']} on {own} ({rate}), peers {peers}"


def verdicts(row: Row) -> str:
    """How right the reason was on all providers' claims; empty where nobody judged."""
    if not row["reason_judged"]:
        return ""
    rate = share(row["reason_improper"], row["reason_judged"])
    were = "claim was" if row["reason_judged"] == 1 else "claims were"
    return f"{rate} of its {row['reason_judged']:,} judged {were} improper"


def tiles(provider: Provider) -> list[Tile]:
    """The figures at the top of the page of a provider."""
    row = provider.row
    risky = share(row["high_risk_claims"], row["claims"])
    return [
        Tile("Claims", count(row["claims"]), "current", "claims"),
        Tile("Patients", count(row["patients"]), "with a claim"),
        Tile("High risk", count(row["high_risk_claims"]), f"{risky} of claims", "risk"),
        Tile("Amount", dollars(row["total_amount"], 2), "of all claims"),
        Tile("High-risk amount", dollars(row["high_risk_amount"], 2), "of flagged claims", "risk"),
        Tile(
            "Mean score",
            f"{row['mean_score']:.2f}",
            f"{row['typical_score']:.2f} is typical",
            "risk",
        ),
    ]


def sections(provider: Provider, measures: Measures) -> list[Section]:
    """The page of a provider."""
    claims = provider.row["claims"]
    rows = [
        (
            with_note(row["reason"], meaning(row["reason"])),
            count(row["claims"]),
            share(row["claims"], claims),
            count(row["high_risk_claims"]),
            row["evidence"] or NONE,
        )
        for row in provider.reasons
    ]
    columns = ("reason ", "claims", "share", "high-risk", "most frequent evidence ")
    reasons = Section(
        id="reasons",
        short="Risk reasons",
        title="Why its claims are risky",
        lead="Claims on which each risk rule fired, most frequent first.",
        query="provider_reasons",
        empty="No risk rule fired on its claims.",
        tables=[Table("Risk rules that fired", columns, rows, open=True, cards=True)],
        wide=True,
    )
    found = [reasons, _over_time(provider, measures)]
    if provider.claims is None:
        return found
    table = claims_table(provider.claims)
    return [
        *found,
        Section(
            id="claims",
            short="Claims",
            title="Its riskiest claims",
            lead="Health data: each row is about a patient. Highest score first, then highest"
            " amount.",
            query=CLAIMS,
            empty="No claims in this range.",
            tables=[table],
            wide=True,
        ),
    ]


def _over_time(provider: Provider, measures: Measures) -> Section:
    seconds = measures.trend_seconds
    rows = [
        {
            **row,
            "tooltip": f"{instant(row['step'], seconds)}: {counted(row['claims'], 'claim')},"
            f" {row['claims_with_reasons']:,} with a risk reason",
        }
        for row in _steps(provider, measures)
    ]
    return Section(
        id="volumes",
        short="Over time",
        title="Over time",
        lead=f"Its claims by {measures.axis.replace('_', ' ')} (UTC), in steps of {step(seconds)}.",
        query="provider_steps",
        empty="No claims have this date.",
        plot=draw(over_time(rows, _PANELS, seconds), "Claims over time") if rows else None,
        tables=[
            Table(
                f"in steps of {step(seconds)}",
                ("start (UTC) ", "claims", "with a reason", "high-risk"),
                [
                    (instant(row["step"], seconds), *(count(row[name]) for name in _COUNTS))
                    for row in rows
                ],
            )
        ],
        wide=True,
    )


def _steps(provider: Provider, measures: Measures) -> Sequence[Row]:
    return every_step(provider.steps, measures.axis_ends, measures.trend_seconds, _COUNTS)


def _trend(provider: Provider, measures: Measures) -> Markup:
    steps = _steps(provider, measures)
    numbers = ", ".join(f"{row['claims_with_reasons']} of {row['claims']}" for row in steps)
    return sparkline(steps, f"claims with a reason, out of all claims, over time: {numbers}")


def _evidence(provider: Provider) -> str:
    of_reason = (row for row in provider.reasons if row["reason"] == provider.row["reason"])
    text = next((row["evidence"] for row in of_reason), None)
    return "; ".join(
        each for each in (text and f"for example {text}", verdicts(provider.row)) if each
    )

"""Claims by amount and score, as counts in cells: as large for a million claims as for ten."""

from collections.abc import Mapping, Sequence
from typing import Any

from claims_ops.report.plot_time import WIDE, Specification
from claims_ops.report.text import count
from claims_ops.shared.counted import counted

AMOUNTS_FROM = (0, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000)
"""Where the bins of `sql/report/amount_by_score.sql` begin."""
SHADES = 5


def amount_label(amount_from: int) -> str:
    """A bin of amounts: `250 – 500`, `500 – 1k`."""
    place = AMOUNTS_FROM.index(amount_from)
    if place == len(AMOUNTS_FROM) - 1:
        return f"{_short(amount_from)} or more"
    return f"{_short(amount_from)} – {_short(AMOUNTS_FROM[place + 1])}"


def score_label(score_to: float) -> str:
    """A bin of scores: `0`, `0 – 0.1`."""
    return f"{score_to - 0.1:.1f} – {score_to:.1f}" if score_to else "0"


def heatmap(rows: Sequence[Mapping[str, Any]]) -> Specification:
    """Cells with their number; those with high-risk claims have a frame."""
    most = max(row["claims"] for row in rows)
    values = [
        {
            "amount": amount_label(row["amount_from"]),
            "score": score_label(row["score_to"]),
            "claims": count(row["claims"]),
            "shade": _shade(row["claims"], most),
            "flagged": row["high_risk_claims"] > 0,
            "tooltip": f"amount {amount_label(row['amount_from'])},"
            f" score {score_label(row['score_to'])}: {counted(row['claims'], 'claim')},"
            f" {row['high_risk_claims']:,} high-risk",
        }
        for row in rows
    ]
    x = {
        "field": "amount",
        "type": "ordinal",
        "scale": {"domain": [amount_label(each) for each in AMOUNTS_FROM], "padding": 0.04},
        "axis": {"title": "claim amount, $", "labelAngle": 0, "domain": False, "ticks": False}
        | {"labelFontSize": 11, "titlePadding": 8},
    }
    y = {
        "field": "score",
        "type": "ordinal",
        "scale": {
            "domain": [score_label(each / 10) for each in range(10, -1, -1)],
            "padding": 0.06,
        },
        "axis": {"title": "fraud risk score", "domain": False, "ticks": False, "minExtent": 58},
    }
    shades = list(range(1, SHADES + 1))
    shade = {"field": "shade", "type": "ordinal", "legend": None}
    frame = {"test": "datum.flagged", "value": "var(--risk)"}
    return {
        "width": WIDE,
        "height": 330,
        "view": {"fill": "var(--well)", "stroke": None, "cornerRadius": 4},
        "data": {"values": values},
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 3, "strokeWidth": 2.5},
                "encoding": {
                    "fill": shade
                    | {"scale": {"domain": shades, "range": [f"var(--shade-{n})" for n in shades]}},
                    "stroke": {"condition": frame, "value": "transparent"},
                    "description": {"field": "tooltip", "type": "nominal"},
                },
            },
            {
                "mark": {"type": "text", "aria": False},
                "encoding": {
                    "text": {"field": "claims", "type": "nominal"},
                    "color": shade
                    | {"scale": {"domain": shades, "range": [f"var(--on-{n})" for n in shades]}},
                },
            },
        ],
    }


def _short(amount: int) -> str:
    return f"{amount / 1000:g}k" if amount >= 1000 else str(amount)


def _shade(claims: int, most: int) -> int:
    """1 to `SHADES`, in equal ratios: the largest cells hold most claims, the risky ones few."""
    for shade in range(1, SHADES):
        if claims <= most ** (shade / SHADES):
            return shade
    return SHADES

"""Horizontal bars, ranked. A part of a bar differs by its width, not by its colour alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from claims_ops.report.text import distinct

_HALF, _LABELS, _LETTER = 530, 235, 7.2
"""Pixels of the plot, of the longest label, of a letter."""


class Bar(NamedTuple):
    """One bar of a ranking."""

    label: str
    value: float
    text: str
    """Beside the bar."""
    part: float = 0
    """Of the value; drawn as a narrow bar inside."""
    tooltip: str = ""


def ranking(bars: Sequence[Bar], color: str = "var(--claims)") -> dict[str, Any]:
    """Horizontal bars, in the order given."""
    labels = distinct([bar.label for bar in bars])
    values = [
        bar._asdict() | {"label": label, "tooltip": bar.tooltip or f"{label}: {bar.text}"}
        for bar, label in zip(bars, labels, strict=True)
    ]
    extent = min(_LABELS, 36 + _LETTER * max(map(len, labels)))
    width, beside = _HALF - extent, 12 + _LETTER * max(len(bar.text) for bar in bars)
    y = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {
            "title": None,
            "ticks": False,
            "domain": False,
            "labelColor": "var(--ink)",
            "minExtent": extent,
            "maxExtent": extent,
            "labelLimit": extent - 30,  # the page's font may be wider
            "labelPadding": 8,
        },
    }
    most = (max(bar.value for bar in bars) or 1) * width / (width - beside)
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, most]}}
    tooltip = {"field": "tooltip", "type": "nominal"}
    bar = {"type": "bar", "color": color, "height": {"band": 0.72}, "cornerRadiusEnd": 2}
    inner = {"type": "bar", "color": "var(--risk)", "height": {"band": 0.3}}
    return {
        "width": width,
        "height": {"step": 26},
        "data": {"values": values},
        "layer": [
            {"mark": bar, "encoding": {"x": x | {"field": "value"}, "description": tooltip}},
            *(
                [{"mark": inner, "encoding": {"x": x | {"field": "part"}, "description": tooltip}}]
                if any(bar.part for bar in bars)
                else []
            ),
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "aria": False},
                "encoding": {
                    "x": x | {"field": "value"},
                    "text": {"field": "text", "type": "nominal"},
                },
            },
        ],
        "encoding": {"y": y},
    }

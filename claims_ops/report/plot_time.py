"""Plots over time. Series differ by panel, or by dash and symbol, not by their colour alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

Specification = dict[str, Any]

WIDE = 1070
"""Pixels of a plot that takes the whole width, without its axis."""
_AXIS = {"title": None, "minExtent": 62, "labelPadding": 8, "domain": False, "ticks": False}
_LEVEL = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleY": -8}
_TICKS = 8
_STEP_FORMATS = ((86_400, "%Y-%m-%d"), (60, "%b %d, %H:%M"), (0, "%H:%M:%S"))


class Panel(NamedTuple):
    """One series over time, on an axis of its own."""

    title: str
    column: str
    color: str


class Line(NamedTuple):
    """One line of several in a panel."""

    name: str
    column: str


def over_time(
    rows: Sequence[Mapping[str, Any]], panels: Sequence[Panel], step_seconds: int
) -> Specification:
    """A row of bars for each series, one below the other. A row has `step` and `tooltip`."""
    values = [
        {
            **{panel.column: row[panel.column] for panel in panels},
            "tooltip": row["tooltip"],
            "begin": _milliseconds(row["step"]),
            "end": _milliseconds(row["step"] + timedelta(seconds=step_seconds)),
        }
        for row in rows
    ]
    last = len(panels) - 1
    return {
        "data": {"values": values},
        "vconcat": [
            {
                "title": panel.title,
                "width": WIDE,
                "height": 84,
                "mark": {"type": "rect", "color": panel.color, "stroke": "var(--card)"},
                "encoding": {
                    "x": _time(values, step_seconds, labelled=place == last),
                    "x2": {"field": "end"},
                    "y": {
                        "field": panel.column,
                        "type": "quantitative",
                        "axis": _AXIS | {"tickCount": 3, "tickMinStep": 1, "format": ",d"},
                    },
                    "y2": {"datum": 0},
                    "description": {"field": "tooltip", "type": "nominal"},
                },
            }
            for place, panel in enumerate(panels)
        ],
    }


def lines(
    rows: Sequence[Mapping[str, Any]], series: Sequence[Line], step_seconds: int, title: str
) -> Specification:
    """Lines over time in seconds, from columns in milliseconds; a missing one has no point."""
    values = [
        {
            "begin": _milliseconds(row["step"]),
            "name": line.name,
            "value": row[line.column] / 1000,
            "tooltip": row["tooltip"],
        }
        for line in series
        for row in rows
        if row[line.column] is not None
    ]
    names = [line.name for line in series]
    by_name = {"field": "name", "type": "nominal"}
    legend = {"title": None, "orient": "top", "symbolStrokeWidth": 0, "columnPadding": 60}
    colors = {"domain": names, "range": ["var(--claims)", "var(--risk)", "var(--muted)"]}
    dashes = {"domain": names, "range": [[1, 0], [6, 3], [2, 3]]}
    shapes = {"domain": names, "range": ["circle", "square", "triangle-up"]}
    color = by_name | {"scale": colors, "legend": legend}
    return {
        "width": WIDE,
        "height": 200,
        "data": {"values": values},
        "encoding": {
            "x": _time(values, step_seconds, labelled=True),
            "y": {
                "field": "value",
                "type": "quantitative",
                "axis": _AXIS | {"tickCount": 5, "title": title} | _LEVEL,
            },
            "color": color,
            "shape": by_name | {"scale": shapes, "legend": legend},
        },
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2, "aria": False},
                "encoding": {"strokeDash": by_name | {"scale": dashes, "legend": None}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
                "encoding": {"description": {"field": "tooltip", "type": "nominal"}},
            },
        ],
    }


def _time(
    values: Sequence[Mapping[str, Any]], step_seconds: int, *, labelled: bool
) -> dict[str, Any]:
    shown = next(text for least, text in _STEP_FORMATS if step_seconds >= least)
    begins = sorted({value["begin"] for value in values})
    ticks = begins[:: len(begins) // _TICKS + 1]
    axis = {"title": None, "format": shown, "values": ticks, "grid": False, "labelFlush": False}
    return {
        "field": "begin",
        "type": "temporal",
        "scale": {"type": "utc"},
        "axis": axis | {"labels": labelled, "ticks": labelled},
    }


def _milliseconds(at: datetime) -> float:
    return at.timestamp() * 1000

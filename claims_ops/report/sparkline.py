"""A provider's claims over time in the space of a word."""

from collections.abc import Sequence

from markupsafe import Markup

from claims_ops.report.measures import Row

_HEIGHT, _BAR = 22, 4
"""Pixels of the tallest bar, and from one bar to the next."""
_PICTURE = Markup(
    '<svg class="sparkline" role="img" aria-label="{}" width="{}" height="{}"'
    ' viewBox="0 0 {} {}">{}</svg>'
)
_STEP = Markup('<rect x="{}" y="{}" width="3" height="{}" fill="var(--{})"/>')


def sparkline(steps: Sequence[Row], name: str) -> Markup:
    """A bar a step: claims, and in front of them those with a risk reason."""
    most = max((row["claims"] for row in steps), default=0) or 1
    bars = Markup("").join(
        _STEP.format(place * _BAR, _HEIGHT - height, height, color)
        for place, row in enumerate(steps)
        for column, color in (("claims", "axis"), ("claims_with_reasons", "risk"))
        if (height := round(row[column] / most * _HEIGHT, 1))
    )
    width = len(steps) * _BAR
    return _PICTURE.format(name, width, _HEIGHT, width, _HEIGHT, bars)

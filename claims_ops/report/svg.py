"""A Vega-Lite specification as SVG inside an HTML page: static, without script.

Colours are CSS variables of the page, so that one SVG suits light, dark and paper. An encoding
`description` of a mark becomes its tooltip; to a screen reader the plot is one image with a name,
beside which the page has its numbers as a table.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

_AXIS = {
    "labelColor": "var(--muted)",
    "titleColor": "var(--muted)",
    "gridColor": "var(--line)",
    "domainColor": "var(--axis)",
    "tickColor": "var(--axis)",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
_CONFIG = {
    "background": None,
    "padding": 2,
    "font": "sans-serif",
    "axis": _AXIS,
    "view": {"stroke": None},
    "text": {"color": "var(--ink)", "fontSize": 12},
    "legend": {
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "titleColor": "var(--muted)",
        "symbolSize": 90,
    },
    "title": {"color": "var(--ink)", "fontSize": 12, "fontWeight": 600, "anchor": "start"},
    "concat": {"spacing": 14},
}
_SPOKEN = ("role", "aria-label", "aria-roledescription", "aria-hidden")


def draw(specification: Mapping[str, Any], name: str) -> Markup:
    """The plot, called `name` by screen readers.

    Its texts must be `shown`: XML cannot hold control characters.
    """
    drawn = vl_convert.vegalite_to_svg({"config": _CONFIG, **specification})
    root = ElementTree.fromstring(drawn)  # noqa: S314 - of our own library, without a DTD
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # HTML knows svg without its namespace
        told = element.get("aria-label")
        is_mark = element.get("role") == "graphics-symbol" and not element.tag == "g"
        for attribute in _SPOKEN:
            element.attrib.pop(attribute, None)
        if told and is_mark:
            ElementTree.SubElement(element, "title").text = told
    root.attrib = {"viewBox": root.attrib["viewBox"], "width": root.attrib["width"]} | {
        "role": "img",
        "aria-label": name,
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - escaped by it

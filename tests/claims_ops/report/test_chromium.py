"""A report in Chromium: light, dark, narrow, on paper, with hostile texts, without rows."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from claims_ops.report.plot_heatmap import SHADES
from tests.support.browser import View, opened
from tests.support.report_rows import Tables, tiles

pytestmark = pytest.mark.usefixtures("emulated")

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    '=HYPERLINK("http://127.0.0.1/","here")',
    "{{ 7*7 }}${7*7}<!--]]>&amp;&lt;",
    "PRV\u202e54321\u0007\u200b",
    "V" * 300,
    "' OR 1=1; --",
)
SHOWN = tuple(
    text.replace("\u202e", "\\u202e").replace("\u0007", "\\u0007").replace("\u200b", "\\u200b")
    if len(text) < 200
    else f"{text[:128]}…"
    for text in HOSTILE
)
SCHEMES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 800}},
    "dark and narrow": {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark"},
}
LEAST_PIXELS = 11
SMALL = f"""() => [...document.querySelectorAll("body *")].filter(each => {{
    if (!each.checkVisibility() || each.children.length || !each.textContent.trim()) return false;
    const drawn = each.closest("svg");
    const scale = drawn ? drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width : 1;
    return parseFloat(getComputedStyle(each).fontSize) * scale < {LEAST_PIXELS};
}}).map(each => each.textContent.slice(0, 40))"""
UNTOLD = """() => [...document.querySelectorAll(".scroll")].filter(each =>
    each.checkVisibility()
    && (each.scrollWidth > each.clientWidth) != each.querySelector(".hint").checkVisibility()
).map(each => each.ariaLabel)"""
DISPLAYS = "notes => notes.map(each => getComputedStyle(each).display)"
TOWERS = """() => [...document.querySelectorAll("td, th, dd, dt, span, li")].filter(each => {
    const text = document.createRange();
    text.selectNodeContents(each);
    const box = text.getBoundingClientRect();
    return each.checkVisibility() && each.innerText.trim() && box.height > 90 && box.width < 60;
}).map(each => each.textContent.slice(0, 40))"""


@pytest.mark.timeout(300)
def test_chromium_shows_it(browser: Browser, tables: Tables, tmp_path: Path):
    tables.add(
        [
            tables.claim(
                n,
                fraud_risk_score=n % 11 / 10,
                high_risk_flag=n % 11 > 5,
                risk_reasons=["high_amount", f"a_reason_that_has_a_long_name_{n % 7}"],
                risk_evidence=[
                    "claim_amount, limit 5000",
                    "a_signal_with_a_name 0.995, limit 0.98",
                ],
                synthetic_label_is_fraud=int(n % 11 > 7),
            )
            for n in range(60)
        ],
        [tables.error(n, error_code=f"code_{n % 4}") for n in range(60)],
    )
    assert tables.pages(tmp_path, "--include-claims") == 0
    pages = {"index.html": 2 + 1 + 7, "provider-01.html": 1}
    for scheme, (name, drawings) in product(SCHEMES, pages.items()):
        path = tmp_path / name
        with opened(browser, path, **SCHEMES[scheme]) as view:
            assert shown_in_full(view) == [], scheme
            assert (view.requests, view.complaints) == ([path.as_uri()], [])
            assert view.page.locator("svg").count() == drawings
            assert set(view.page.locator("table .note").evaluate_all(DISPLAYS)) == {"block"}
            view.page.locator("details").evaluate_all(
                "all => all.forEach(each => each.open = true)"
            )
            for wrong in (SMALL, UNTOLD, TOWERS):
                assert view.page.evaluate(wrong) == [], (scheme, wrong)
            assert not {"NaN", "within –"} & {*view.page.locator("main").inner_text().split("\n")}
            assert view.barriers() == [], scheme
            assert (view.requests, view.complaints) == ([path.as_uri()], [])


def shown_in_full(view: View) -> list[str]:
    """Sections that are wider than the window, plots without a size or without a table."""
    page = view.page
    wrong = [] if page.evaluate("innerWidth >= document.documentElement.scrollWidth") else ["wide"]
    for section in page.locator("main .sections > section").all():
        name = section.get_attribute("id") or "?"
        for plot in section.locator("svg").all():
            box = plot.bounding_box()
            assert plot.get_attribute("aria-label")
            if not box or min(box["width"], box["height"]) < 20:
                wrong.append(f"{name}: the plot has no size")
        if not section.locator("table").count():
            wrong.append(f"{name}: no table")
    return wrong


def test_light_and_dark_differ_and_paper_is_light(browser: Browser, tables: Tables, tmp_path: Path):
    path = tmp_path / "report.html"
    tables.add([tables.claim(1)], [tables.error(1)])
    assert tables.report(path) == 0
    probe = """() => [document.body, document.querySelector('svg [fill^="var"]')].map(
        (each, text) => getComputedStyle(each)[text ? 'fill' : 'backgroundColor'])"""
    colors = {}
    for scheme in ("light", "dark"):
        with opened(browser, path, color_scheme=scheme) as view:
            colors[scheme] = view.page.evaluate(probe)
            view.page.emulate_media(media="print")
            colors[f"{scheme} print"] = view.page.evaluate(probe)
            folded = view.page.locator("details table").first
            height = folded.evaluate("each => each.getBoundingClientRect().height")
            assert height > 20 and folded.evaluate("each => each.checkVisibility()")
            assert view.page.pdf().startswith(b"%PDF")
            assert (view.requests, view.complaints) == ([path.as_uri()], [])
    assert all(a != b for a, b in zip(colors["light"], colors["dark"], strict=True))
    assert colors["light print"] == colors["dark print"]
    assert colors["dark print"][0] == "rgb(255, 255, 255)"


def test_numbers_in_cells_and_bars_stand_out(browser: Browser, tables: Tables, tmp_path: Path):
    path = tmp_path / "report.html"
    assert tables.report(path) == 0
    least = {(f"on-{n}", f"shade-{n}"): 4.5 for n in range(1, SHADES + 1)}
    least |= {("ink", "card"): 4.5, ("muted", "card"): 4.5, ("muted", "paper"): 4.5}
    least |= {(bar, "card"): 3.0 for bar in ("claims", "risk", "rejected")}
    for look in ({"color_scheme": "light"}, {"color_scheme": "dark"}):
        with opened(browser, path, **look) as view:
            for media in ("screen", "print"):
                view.page.emulate_media(media=media)
                weak = {pair for pair, ratio in least.items() if view.contrast(*pair) < ratio}
                assert weak == set(), (look, media)


def test_hostile_texts_are_shown_as_texts(browser: Browser, tables: Tables, tmp_path: Path):
    claims = [
        tables.claim(
            number,
            provider_id=text,
            provider_region=text,
            risk_reasons=[text],
            risk_evidence=[text],
            quality_issues=[text],
            rules_version=text,
        )
        for number, text in enumerate(HOSTILE * 2)
    ]
    errors = [
        tables.error(
            number,
            stage=text,
            error_code=text,
            error=text,
            violations=[{"field": text, "rule": text, "message": text}],
        )
        for number, text in enumerate(HOSTILE)
    ]
    tables.add(claims, errors)
    assert tables.pages(tmp_path, "--include-claims") == 0
    path = tmp_path / "index.html"
    with opened(browser, path) as view:
        for section, column in (
            ("providers", 0),
            ("regions", 0),
            ("reasons", 0),
            ("quality", 0),
            ("rejections", 0),
            ("violations", 0),
        ):
            cells = view.page.locator(f"#{section} table").first.locator(
                f"tbody tr > :nth-child({column + 1})"
            )
            assert sorted(cells.all_text_contents()) == sorted(SHOWN), section
        cells = view.page.locator("#claims table tbody tr > :nth-child(3)")
        assert {*cells.all_text_contents()} == {*SHOWN}
        assert {*view.page.locator("#regions .label").all_text_contents()} == {*SHOWN}
    pages = sorted(tmp_path.glob("*.html"))
    assert len(pages) == 1 + len(HOSTILE)
    titles = set()
    for path in pages:
        with opened(browser, path) as view:
            titles.add(view.page.locator("h1").inner_text().removeprefix("Provider "))
            found = view.page.locator("img, script, iframe, object, a[href*=http], svg svg")
            assert found.count() == 0
            assert (
                view.page.evaluate("document.querySelectorAll('[onload], [onerror]').length") == 0
            )
            assert (view.requests, view.complaints) == ([path.as_uri()], [])
    assert titles == {"Claims report", *SHOWN}


def test_no_rows(browser: Browser, tables: Tables, tmp_path: Path):
    path = tmp_path / "report.html"
    assert tables.report(path, "--include-claims") == 0
    shown = tiles(path.read_text())
    assert (shown["Messages"], shown["Claims scored"], shown["Rejected"]) == ("0", "0", "0")
    with opened(browser, path) as view:
        sections = view.page.locator("main .sections > section")
        assert sections.count() == 11 == sections.locator(".empty").count()
        assert "Nothing stands out." in view.page.locator(".findings").inner_text()
        assert view.barriers() == []
        assert (view.requests, view.complaints) == ([path.as_uri()], [])

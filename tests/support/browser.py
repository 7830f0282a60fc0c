"""A page as Chromium shows it: what it asks for, what it complains about, who cannot use it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import axe_playwright_python
from playwright.sync_api import Browser, Page, sync_playwright

from sandbox.emulators.local_server import ServerMissing

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "no Chromium, which the tests look at reports with: install one (sudo apt-get install chromium,"
    " or brew install --cask chromium)"
)
_AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
_CONFORMANCE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class View(NamedTuple):
    """An open page."""

    page: Page
    requests: list[str]
    """Of the page itself and of all that it asked for."""
    complaints: list[str]
    """Lines of the console, errors, dialogs."""

    def contrast(self, *variables: str) -> float:
        """Of the colours of two CSS variables of the page, 1 to 21, as WCAG has it."""
        lights = []
        for name in variables:
            color = self.page.evaluate(
                """name => {
                    const probe = document.body.appendChild(document.createElement('i'));
                    probe.style.color = `var(--${name})`;
                    const color = getComputedStyle(probe).color;
                    probe.remove();
                    return color.match(/\\d+/g).map(Number);
                }""",
                name,
            )
            linear = [
                part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
                for part in color[:3]
            ]
            lights.append(sum(x * y for x, y in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
        return (max(lights) + 0.05) / (min(lights) + 0.05)

    def barriers(self) -> list[str]:
        """What axe-core finds wrong for people who use a keyboard, a reader, other eyes.

        The inside of a plot is left out: to a screen reader it is one image.
        """
        found = self.page.evaluate(
            f"{_AXE.read_text()}; axe.run({{exclude: ['svg > *']}}, {{runOnly: {_CONFORMANCE}}})"
        )
        return [
            f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium of this machine.

    Raises:
        ServerMissing: there is none.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if not program:
        raise ServerMissing(REMEDY)
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=as_root)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[View]:
    """A page from a file, as a reader with these options of a context sees it."""
    context = browser.new_context(**options)
    try:
        page = context.new_page()
        view = View(page, [], [])
        page.on("request", lambda request: view.requests.append(request.url))
        page.on("console", lambda message: view.complaints.append(message.text))
        page.on("pageerror", lambda error: view.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (view.complaints.append("dialog"), dialog.dismiss()))
        page.goto(path.as_uri(), wait_until="load")
        yield view
    finally:
        context.close()

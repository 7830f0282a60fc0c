"""Every link of README and docs leads somewhere, and every page can be reached from the README."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.docs.pages import ROOT, Page, pages

HOSTS = {
    "cloud.google.com",
    "console.cloud.google.com",
    "docs.jsonata.org",
    "keepachangelog.com",
    "oig.hhs.gov",
    "semver.org",
    "try.jsonata.org",
}
"""Other sites that may be linked to. No test calls them: keep them few, and likely to stay."""


def complaint(page: Page, target: str) -> str:
    """Why a link leads nowhere; empty if it does lead somewhere."""
    url = urlsplit(target)
    if url.scheme or url.netloc:
        if url.scheme != "https":
            return "is not https"
        return "" if url.netloc in HOSTS else "is not a host of HOSTS in tests/docs/test_links.py"
    path = (page.path.parent / unquote(url.path)).resolve() if url.path else page.path
    if not path.is_relative_to(page.root):
        return "leaves the repository"
    if not path.exists():
        return "does not exist"
    if not url.fragment:
        return ""
    if path.suffix != ".md":
        return "has an anchor, and is no Markdown"
    return "" if url.fragment in Page(page.root, path).anchors() else "has no such heading"


def broken(root: Path) -> list[str]:
    """Each link that leads nowhere: where it stands, its target, why."""
    return [
        f"{place}: {target} {why}"
        for page in pages(root)
        for place, target in page.links()
        if (why := complaint(page, target))
    ]


def unreachable(root: Path) -> list[str]:
    """Pages to which no way of links leads from the README."""
    known = {page.path: page for page in pages(root)}
    reached: set[Path] = set()
    todo = [root / "README.md"]
    while todo:
        path = todo.pop()
        if path in known and path not in reached:
            reached.add(path)
            todo += _linked(known[path])
    return [page.name for path, page in known.items() if path not in reached]


def _linked(page: Page) -> Iterator[Path]:
    for _, target in page.links():
        if to := urlsplit(target).path:  # else a heading of the same page
            path = (page.path.parent / to).resolve()
            yield path
            if path.is_dir():  # GitHub lists what is in it
                yield from path.glob("*.md")


def test_every_link_leads_somewhere():
    assert broken(ROOT) == []


def test_every_page_can_be_reached_from_the_readme():
    assert unreachable(ROOT) == []


def test_no_page_is_empty():
    assert [page.name for page in pages() if not page.has_text()] == []


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A checkout of a few pages without a mistake."""
    (tmp_path / "docs/decisions").mkdir(parents=True)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql/latest.sql").write_text("SELECT 1")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n[it](https://semver.org/)\n")
    (tmp_path / "README.md").write_text(
        "# Title\n[a](docs/a.md#the-claims-command-twice) [d](docs/decisions/) [c](CHANGELOG.md)\n"
        "[here](#what-it-costs)\n\n## What it costs?\n"
    )
    (tmp_path / "docs/a.md").write_text(
        "## The `claims` command, twice\n## Same\n## Same\n"
        "[1](#same-1) [2](../sql/latest.sql) [3](../README.md#title)\n\n"
    )
    (tmp_path / "docs/decisions/1.md").write_text("# One\n")
    return tmp_path


def test_good_links_pass(site: Path):
    assert broken(site) == unreachable(site) == []


@pytest.mark.parametrize(
    "text, told",
    [
        ("[x](b.md)", "docs/a.md:6: b.md does not exist"),
        ("![x](b.png)", "docs/a.md:6: b.png does not exist"),
        ("One line,\n*and* [x](b.md)", "docs/a.md:7: b.md does not exist"),
        ("[x][1]\n\n[1]: ../nothing", "docs/a.md:6: ../nothing does not exist"),
        ("| a |\n|---|\n| [x](b.md) |", "docs/a.md:8: b.md does not exist"),
        ("- item\n\n  [x](b.md)", "docs/a.md:8: b.md does not exist"),
        ("[x](#same-2)", "docs/a.md:6: #same-2 has no such heading"),
        ("[x](../README.md#titel)", "docs/a.md:6: ../README.md#titel has no such heading"),
        ("[x](../sql/latest.sql#L1)", "../sql/latest.sql#L1 has an anchor, and is no Markdown"),
        ("[x](../../etc)", "docs/a.md:6: ../../etc leaves the repository"),
        ("[x](http://semver.org/)", "docs/a.md:6: http://semver.org/ is not https"),
        ("[x](https://example.com/)", "https://example.com/ is not a host of HOSTS"),
        ("<https://example.com/>", "https://example.com/ is not a host of HOSTS"),
    ],
)
def test_a_broken_link_is_told_with_its_place(text: str, told: str, site: Path):
    with (site / "docs/a.md").open("a") as page:
        page.write(f"{text}\n")
    [mistake] = broken(site)
    assert told in mistake


def test_a_page_without_a_way_to_it_is_told(site: Path):
    (site / "docs/lost.md").write_text("[back](../README.md)\n")
    assert unreachable(site) == ["docs/lost.md"]

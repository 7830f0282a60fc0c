"""README and docs as Markdown: pages, links, anchors and blocks, as GitHub shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin

ROOT = Path(__file__).parents[3]
_MARKDOWN = MarkdownIt("gfm-like", {"linkify": False}).use(anchors_plugin, max_level=6)


@dataclass(frozen=True)
class Block:
    """A block of code."""

    place: str
    """`README.md:7`."""
    language: str
    """What its fence names; empty if it is indented, which is for commands of the shell alone."""
    text: str


@dataclass(frozen=True)
class Page:
    """One Markdown file of a checkout."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @cached_property
    def _tokens(self) -> list[Token]:
        return _MARKDOWN.parse(self.path.read_text())

    def _inline(self, *types: str) -> Iterator[tuple[str, Token]]:
        for token in self._tokens:
            line = token.map[0] + 1 if token.map else 0
            for child in token.children or ():
                line += child.type in ("softbreak", "hardbreak")
                if child.type in types:
                    yield f"{self.name}:{line}", child

    def links(self) -> Iterator[tuple[str, str]]:
        """Place and target of each link and image."""
        for place, token in self._inline("link_open", "image"):
            yield place, token.attrGet("href") or token.attrGet("src")

    def anchors(self) -> set[str]:
        """What `#...` can name: the headings."""
        return {token.attrGet("id") for token in self._tokens if token.type == "heading_open"}

    def has_text(self) -> bool:
        """Whether there is more than headings."""
        return any(token.type in ("paragraph_open", "table_open") for token in self._tokens)

    def blocks(self) -> Iterator[Block]:
        """The blocks of code, in their order."""
        for token in self._tokens:
            if token.type in ("code_block", "fence"):
                place = f"{self.name}:{token.map[0] + 1}"
                yield Block(place, token.info.strip(), token.content)

    def code_in_text(self) -> Iterator[tuple[str, str]]:
        """Place and text of what stands in backquotes."""
        for place, token in self._inline("code_inline"):
            yield place, token.content


def pages(root: Path = ROOT) -> list[Page]:
    """What people read: the pages at the top, docs, results of the benchmark."""
    found = sorted(root.glob("*.md"))
    found += sorted(root.glob("docs/**/*.md")) + sorted(root.glob("workshop/benchmarks/*.md"))
    return [Page(root, path) for path in found]

"""What a section of the page is made of; all of it is text that the page escapes, but `Markup`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import Markup

_WITH_NOTE = Markup('{}<span class="note">{}</span>')


def with_note(text: str, note: str) -> str:
    """A cell with a line of small print, where there is one."""
    return _WITH_NOTE.format(text, note) if note else text


class Bar(NamedTuple):
    """One bar of a ranking. A part of it differs by its height, not by its colour alone."""

    label: str
    value: float
    text: str
    """Beside the bar."""
    part: float = 0
    """Of the value; drawn as a narrow bar inside."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Horizontal bars, in the order given."""

    bars: Sequence[Bar]
    kind: str = "claims"
    """`claims`, `risk` or `rejected`: their colour."""

    def percent(self, value: float) -> str:
        """How long a value is drawn, as a length of CSS: the largest takes all."""
        most = max(bar.value for bar in self.bars) or 1
        return f"{value / most * 100:.2f}%"


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers beside, or behind, a plot."""

    caption: str
    columns: Sequence[str]
    """Heads; one that ends in a blank heads texts, the others numbers."""
    rows: Sequence[Sequence[str]]
    open: bool = False
    """Whether it is shown at once: the section is this table."""
    cards: bool = False
    """Whether a telephone shows each row as a card."""
    marked: Sequence[bool] = ()
    """Of each row, whether it is highlighted; empty where none is."""

    @property
    def is_wide(self) -> bool:
        """Whether a telephone has to scroll it."""
        return len(self.columns) > 4


@dataclass(frozen=True, slots=True)
class Section:
    """A question and its answer."""

    id: str
    short: str
    """What the menu calls it."""
    title: str
    lead: str
    """How to read it, in a sentence or two."""
    query: str
    """The file of `sql/report/` that it comes from."""
    empty: str
    """The text shown when there are no rows."""
    plot: Markup | None = None
    ranking: Ranking | None = None
    tables: Sequence[Table] = field(default_factory=tuple)
    wide: bool = False

    @property
    def has_rows(self) -> bool:
        """Whether there is something to show."""
        return any(table.rows for table in self.tables)


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top of the page."""

    label: str
    value: str
    note: str
    kind: str = ""
    """`claims`, `risk` or `rejected`: its colour."""
    change: str = ""
    """Against the period before."""

"""What a section of the page is made of; all of it is text that the page escapes, but the plots."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers beside, or behind, a plot."""

    caption: str
    columns: Sequence[str]
    """Heads; one that ends in a blank heads texts, the others numbers."""
    rows: Sequence[Sequence[str]]
    open: bool = False
    """Whether it is shown at once: the section is this table."""


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

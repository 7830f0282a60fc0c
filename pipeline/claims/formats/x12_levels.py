"""Whether the levels (HL) of an X12 transaction stand behind the parents that they name.

Claims are read by place: a patient belongs to the subscriber before it. That is what the guides
ask for, and holds whatever the numbers are. But where the numbers of a transaction can be trusted,
and a level names another parent than the one before it, its claims may be another person's.
"""

MAX_LEVELS = 1 << 20
"""Whose depths are kept, a byte each; later ones may be the parent of any."""
_LONGEST_NUMBER = 12


class Levels:
    """The levels of one transaction.

    Numbers (HL01) are trusted as long as they count up by one. A parent (HL02) that all levels of a
    depth name alike, as careless writers do, says nothing; unless the level before has no children.
    """

    def __init__(self) -> None:
        self._first: int | None = None
        self._count = 0
        self._is_counted = True
        self._depths = bytearray()
        self._path: dict[int, tuple[int, bool]] = {}
        """Depth -> number of the level that others now stand behind; whether it has children."""
        self._constants: dict[int, int | None] = {}
        """Depth -> the parent that all levels of it have named; None if they differ."""
        self._misplaced: int | None = None

    @property
    def is_misplaced(self) -> bool:
        """Whether what follows may belong to another level than the one that it stands behind."""
        return self._misplaced is not None

    def take(self, depth: int, fields: dict[str, str]) -> None:
        """The next level, by the elements of its HL."""
        number, parent = _number(fields.get("HL01", "")), _number(fields.get("HL02", ""))
        if self._first is None:
            self._first = number
        self._is_counted = self._is_counted and number == self._first + self._count >= 0
        if self._misplaced is not None and depth <= self._misplaced:
            self._misplaced = None
        if self._is_counted and self._names_another(depth, parent, number):
            self.lose(depth)
        self._path = {key: level for key, level in self._path.items() if key < depth}
        self._path[depth] = number, fields.get("HL04") != "0"
        self._count += 1
        if len(self._depths) < MAX_LEVELS:
            self._depths.append(depth)

    def lose(self, depth: int) -> None:
        """What follows stands under a level of this depth that is not known."""
        self._misplaced = min(depth, self._misplaced or depth)

    def _names_another(self, depth: int, parent: int, number: int) -> bool:
        before, has_children = self._path.get(depth - 1, (-1, False))
        constant = self._constants.setdefault(depth, parent if parent == before else None)
        if parent != constant:
            self._constants[depth] = None
        place = parent - (self._first or 0)
        if parent == before or not 0 <= place < self._count:
            return False
        is_parent = place >= len(self._depths) or self._depths[place] == depth - 1
        return is_parent and not (has_children and parent == constant)


def _number(text: str) -> int:
    """-1 for what is no number."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else -1

"""The examples of the packaged maps: documents in their shapes, beside the claims they hold."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.claims.formats import delimited, x12
from pipeline.claims.message import Message, Unreadable

CASES = Path(__file__).parents[2] / "cases" / "maps"
GOLDEN = ".claims.json"


class Example(NamedTuple):
    """One file of documents for one map."""

    map_name: str
    path: Path

    @property
    def golden(self) -> Path:
        """The claims of each of its documents, and the error code of what cannot be read."""
        return self.path.with_name(self.path.name + GOLDEN)

    def messages(self) -> Iterator[Message]:
        """What the file's format reads from it."""
        with self.path.open("rb") as file:
            if self.path.suffix == ".x12":
                yield from x12.read(file, self.path.name)
            elif self.path.suffix == ".csv":
                yield from delimited.read(file, self.path.name, delimited.Dialect())
            else:
                yield Message(file.read(), self.path.name)

    def documents(self) -> Iterator[Any]:
        """The documents, and the `Unreadable` of what is none."""
        for message in self.messages():
            unreadable = isinstance(message.data, Unreadable)
            yield message.data if unreadable else json.loads(message.data)


def examples() -> list[Example]:
    """All of them."""
    paths = sorted(path for path in CASES.glob("*/*") if not path.name.endswith(GOLDEN))
    return [Example(path.parent.name, path) for path in paths]

"""A query as a file has it: its title, its parameters, its placeholders.

Comments at the beginning say what it answers, in a first line, and declare parameters:
`-- @capacity INT64 = 50: Number of claims you have time to review.` One without a default is
required.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple, Self

from claims_ops.shared.analyst_queries import DIRECTORY
from claims_ops.shared.option_types import instant
from claims_ops.shared.queries import Value

_DECLARED = re.compile(r"-- @(\w+) ([A-Z0-9]+)(?: = (\S+))?: (.+)")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_USED = re.compile(r"@([A-Za-z_]\w*)")
_NOT_CODE = re.compile(
    r"--[^\n]*|#[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL
)
"""Comments and texts of GoogleSQL, in which `@name` is no parameter."""
_BOOLEANS: Final = {"true": True, "false": False}


class Parameter(NamedTuple):
    """A parameter of a query."""

    name: str
    type: str
    """Of GoogleSQL."""
    default: str | None
    """None where it must be given."""
    description: str

    def value(self, text: str) -> Value:
        """The value that a text says.

        Raises:
            ValueError: it has another type.
        """
        try:
            return _value(text, self.type)
        except (ValueError, ArithmeticError, KeyError):
            raise ValueError(f"{self.name}: must be of type {self.type}") from None


class Statement(NamedTuple):
    """A query."""

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    sql: str

    @classmethod
    def of(cls, name: str, text: str) -> Self:
        """The query that a text holds."""
        title = text.partition("\n")[0].removeprefix("--").strip() if text[:2] == "--" else ""
        declared = [Parameter(*found.groups()) for found in _DECLARED.finditer(text)]
        names = {each.name for each in declared}
        used = dict.fromkeys(_USED.findall(_NOT_CODE.sub(" ", text)))
        texts = [Parameter(each, "", None, "") for each in used if each not in names]
        return cls(name, title, (*declared, *texts), text)

    def values(self, given: Mapping[str, str]) -> dict[str, Value]:
        """The value of each parameter; one without a declaration has the type that it looks like.

        Raises:
            ValueError: one is missing, unknown or of another type.
        """
        known = {each.name: each for each in self.parameters}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "no parameters"
                raise ValueError(f"{name}: no such parameter; this query takes {takes}")
        values = {}
        for name, parameter in known.items():
            text = given.get(name, parameter.default)
            if text is None:
                meaning = f": {parameter.description}" if parameter.description else ""
                raise ValueError(f"{name} is required{meaning}")
            values[name] = parameter.value(text)
        return values

    def filled(self, placeholders: Mapping[str, str]) -> str:
        """The statement with tables in place of its placeholders.

        Raises:
            ValueError: it has a placeholder that nothing fills.
        """
        try:
            # bqemulator takes `@name` in a comment for one more parameter.
            sql = _DECLARED.sub("--", self.sql)
            return _PLACEHOLDER.sub(lambda found: placeholders[found[1]], sql)
        except KeyError as error:
            raise ValueError(f"unknown placeholder ${{{error.args[0]}}}") from None


def _value(text: str, sql_type: str) -> Value:
    if sql_type:
        return _READERS[sql_type](text)
    for guess in ("INT64", "FLOAT64", "BOOL", "DATE", "TIMESTAMP"):
        try:
            return _READERS[guess](text)
        except (ValueError, ArithmeticError, KeyError):
            continue
    return text


_READERS: Final[Mapping[str, Callable[[str], Value]]] = {
    "STRING": str,
    "INT64": int,
    "FLOAT64": float,
    "NUMERIC": Decimal,
    "BOOL": lambda text: _BOOLEANS[text.lower()],
    "DATE": date.fromisoformat,
    "TIMESTAMP": instant,
}


def listed() -> list[Statement]:
    """The queries of `sql/` that can be asked as they are, by name."""
    found = [Statement.of(path.stem, path.read_text("utf-8")) for path in DIRECTORY.glob("*.sql")]
    asked = [each for each in found if "${AS_OF}" not in each.sql and "CREATE OR" not in each.sql]
    return sorted(asked, key=lambda each: each.name)


def find(word: str) -> Statement:
    """The query of this name, or in this file.

    Raises:
        FileNotFoundError: there is neither.
        OSError: the file cannot be read.
    """
    named = {each.name: each for each in listed()}
    if word in named:
        return named[word]
    return Statement.of(word, Path(word).read_text("utf-8-sig"))

"""A launch parameter: everything that the command line, the console and the docs say about it."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Choice(NamedTuple):
    """One value that a parameter may have."""

    value: str
    label: str
    """Name of the value in the Dataflow console."""
    meaning: str
    """What it does, worded to go in parentheses."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One launch parameter: the same word as flag, metadata name and attribute."""

    label: str
    """Name of the field in the Dataflow console."""
    help: str
    """What it is, with its unit; without example, choices and default, which follow."""
    section: str = ""
    """Of the console: declared at the first parameter of each section, and there for all."""
    param_type: str = ""
    """Picker of the console: a ParameterType of the Dataflow API; declared if not by the type."""
    example: str | None = None
    default: Any = None
    required: bool = False
    regex: str | None = None
    """Of the whole text, anchored. Dataflow documents POSIX extended expressions, the console runs
    JavaScript, we Python: what they have in common knows no `(?:` and no `\\s`."""
    dataflow_regex: str | None = None
    """What Dataflow takes of it, where that is less: its workers have no files of ours."""
    is_reference: bool = False
    """Whether it names where a secret is: what looks like the secret itself is refused, unseen."""
    is_quoted: bool = True
    """Whether an error repeats what was given: not where the secret of another may have landed."""
    choices: tuple[Choice, ...] = ()
    only_with: tuple[str, str] | None = None
    """The parameter that this one depends on, and the value without which it does nothing."""
    or_local: bool = False
    """Whether a launch elsewhere than on Dataflow takes a path of its own machine, too."""
    hidden: bool = False
    name: str = ""
    type: type = str

    @property
    def text(self) -> str:
        """The whole help: what it is, its choices, what it depends on, an example."""
        parts = [self.help]
        if self.choices:
            *others, last = (f"{each.value} ({each.meaning})" for each in self.choices)
            parts = [f"{self.help.removesuffix('.')}: {', '.join(others)} or {last}."]
        if self.only_with:
            parts.append(f"Applies only with {'='.join(self.only_with)}.")
        if self.example:
            parts.append(f"Example: {self.example}")
        return " ".join(parts)

    @property
    def command_line_text(self) -> str:
        """The whole help of a command line, where the job need not run on Dataflow."""
        if not self.or_local:
            return self.text
        return f"{self.help} Outside Dataflow, a local path works too." + self.text.removeprefix(
            self.help
        )

    @property
    def default_text(self) -> str | None:
        return None if self.default is None else as_text(self.default)


def as_text(value: Any) -> str:
    """A value as it is written on a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)

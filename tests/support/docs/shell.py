"""The commands of a piece of shell, as bash would see them, without running any."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_BASH = Parser(Language(tree_sitter_bash.language()))
_VALUES = {
    "PROJECT": "my-project",
    "REGION": "us-central1",
    "BUCKET": "my-project-claims",
    "PUBSUB_EMULATOR_HOST": "127.0.0.1:8085",
}
"""What variables of the docs hold; any other holds `value`."""


class NoShell(ValueError):
    """What stands where commands are expected is none."""


@dataclass
class Shell:
    """What stands in a piece of shell."""

    commands: list[list[str]] = field(default_factory=list)
    """The words of each command; an assignment before it is left out."""
    written: list[str] = field(default_factory=list)
    """Files that it redirects output to."""


def parsed(text: str) -> Shell:
    """The commands of `text`, those within loops, pipes and `$(...)` too.

    Raises:
        NoShell: bash could not parse it.
    """
    root = _BASH.parse(text.encode()).root_node
    if root.has_error:
        raise NoShell("is no shell: put what is no command into a fence with a language")
    found = Shell()
    for node in _nodes(root):
        if node.type == "command":
            words = [child for child in node.named_children if child.type != "variable_assignment"]
            found.commands.append(_words(words))
        elif node.type == "file_redirect":
            found.written += _words(node.named_children[-1:])
    return found


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.named_children:
        yield from _nodes(child)


def _words(nodes: Iterable[Node]) -> list[str]:
    texts: list[str] = []
    end = -1
    for node in nodes:
        text = node.text.decode()
        for inner in _nodes(node):
            if inner.type == "command_substitution":
                text = text.replace(inner.text.decode(), "value")
        if node.start_byte == end:
            texts[-1] += text  # of the same word: the grammar parts a@$B
        else:
            texts.append(text)
        end = node.end_byte
    return [_plain(text) for text in texts]


def _plain(text: str) -> str:
    """A word without its quotes, with values for its variables."""
    if not text.startswith("'"):  # in single quotes nothing is replaced
        text = re.sub(r"(?<!\\)\$\{?(\w+)\}?", lambda match: _VALUES.get(match[1], "value"), text)
    return "".join(shlex.split(text.replace("\\\n", "")))

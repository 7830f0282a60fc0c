"""The commands of a piece of shell, as bash would see them, without running any."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
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


_QUOTED = ("raw_string", "ansi_c_string")
_STRINGS = (*_QUOTED, "string", "comment", "simple_expansion", "expansion", "arithmetic_expansion")
_BRACKETS = ("[", "]", "[[", "]]")
_SNAGS = {
    r"[*?\[\]]": "zsh refuses an unquoted pattern that matches no file: quote it",
    r"<[^<>()\n]+>": "<...> is a redirection: write a placeholder in capitals",
    r"(?:^|(?<=\s))=\w": "zsh looks for a program of this name: quote it",
}
"""Of what is not quoted."""
_SNAGS_IN_STRINGS = {
    r"\$\w+[:\[]": "zsh takes what follows the variable for a modifier: write ${NAME}",
    r"!": "an interactive shell takes ! for its history: put it in single quotes",
}
"""Of what is not in single quotes."""


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


def snags(text: str) -> list[str]:
    """What would go wrong if somebody pasted `text` into an interactive bash or zsh."""
    root = _BASH.parse(text.encode()).root_node
    found = [
        "zsh takes a comment for arguments: say it outside of the block"
        for node in _nodes(root)
        if node.type == "comment"
    ]
    unquoted = _without(root, lambda node: node.type in _STRINGS or node.type in _BRACKETS)
    in_strings = _without(root, lambda node: node.type in (*_QUOTED, "comment"))
    for seen, patterns in ((unquoted, _SNAGS), (in_strings, _SNAGS_IN_STRINGS)):
        found += [
            f"{each[0]}: {why}" for to, why in patterns.items() for each in re.finditer(to, seen)
        ]
    return found


def _without(root: Node, is_left_out: Callable[[Node], bool]) -> str:
    """The text of a tree, with a letter in place of each byte of some nodes."""
    text = bytearray(root.text)
    for node in _all_nodes(root):
        if is_left_out(node):
            text[node.start_byte : node.end_byte] = b"x" * (node.end_byte - node.start_byte)
    return text.decode()


def variables(text: str) -> tuple[set[str], set[str]]:
    """The variables that a piece of shell sets, and those of others that it uses."""
    its, used = set(), set()
    for node in _nodes(_BASH.parse(text.encode()).root_node):
        if node.type == "variable_name":
            name = node.text.decode()
            is_use = node.parent.type in ("simple_expansion", "expansion")
            (used if is_use else its).add(name)
    return its, used - its


def _all_nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all_nodes(child)


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

"""Text of tables and files, on its way to a terminal."""

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_WITHOUT_TERMINAL = 120


def console() -> "Console":
    """stdout, wide enough for the tables where it is not a terminal."""
    from rich.console import Console

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)


_SECRETS = (
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]+(?:\\[rn][\w.~+/=-]+)*"),
    re.compile(r"()\bya29\.[\w.~+/=-]+"),
    re.compile(r"()\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"(://)[^\s/@]+(?=@)"),
    re.compile(r"(?is)()-----BEGIN [^-]*PRIVATE KEY-----.*?(?:-----END [^-]*-----|\Z)"),
    re.compile(r"(?i)((?:refresh_token|access_token|client_secret|id_token)\W{1,4})[^\s\"'&,}]+"),
)


def without_secrets(text: str) -> str:
    """The text without what looks like a credential: errors of clients may quote one."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[...]", text)
    return text


def printable_json(text: str) -> str:
    """A line of JSON that says the same without a character that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def printable(text: str) -> str:
    """The text with what a terminal would obey, or not show, as escapes: `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

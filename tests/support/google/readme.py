"""The README's own commands."""

import re
import textwrap
from pathlib import Path

_README = Path(__file__).parents[3] / "README.md"


def commands(heading: str) -> list[str]:
    """The blocks of commands under a heading of the README, in their order."""
    sections = re.split(r"^#+ (.+)\n", _README.read_text(), flags=re.M)
    section = sections[sections.index(heading) + 1]
    blocks = re.findall(r"(?:^(?: {4,}\S.*)?\n)+", section, re.M)
    return [textwrap.dedent(block).strip() for block in blocks if block.strip()]

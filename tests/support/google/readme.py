"""The commands of a page, to be run as they stand there."""

import re
import textwrap
from pathlib import Path

_ROOT = Path(__file__).parents[3]


def commands(page: str, heading: str) -> list[str]:
    """The blocks of commands under a heading of README.md or of a page of docs/, in their order."""
    sections = re.split(r"^#+ (.+)\n", (_ROOT / page).read_text(), flags=re.M)
    section = sections[sections.index(heading) + 1]
    blocks = re.findall(r"(?:^(?: {4,}\S.*)?\n)+", section, re.M)
    return [textwrap.dedent(block).strip() for block in blocks if block.strip()]

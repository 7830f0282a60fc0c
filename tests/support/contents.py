"""What tables hold, in a form to compare with those of another run."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_PER_RUN = {"processing_timestamp", "error_timestamp"}


def contents(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """The rows as text, but for the columns that tell when they were made."""
    return Counter(
        repr({name: row[name] for name in sorted(row) if name not in _PER_RUN}) for row in rows
    )

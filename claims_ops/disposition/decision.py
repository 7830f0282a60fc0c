"""One decision of a reviewer, as text from a command line or a CSV file, checked."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from claims_ops.shared.counted import counted
from claims_ops.shared.dispositions import OUTCOMES
from claims_ops.shared.option_types import instant
from pipeline.claims.storable import numeric_fault

COLUMNS: Final = ("claim_id", "outcome", "amount_recovered", "reviewer", "reviewed_at", "note")
_NEEDED: Final = ("claim_id", "outcome")
_LONGEST: Final = {"claim_id": 128, "reviewer": 64, "note": 1000}


class Decision(NamedTuple):
    """What a reviewer decided about a claim."""

    claim_id: str
    outcome: str
    reviewed_at: datetime
    amount_recovered: Decimal | None = None
    reviewer: str | None = None
    note: str | None = None


class Fault(ValueError):
    """What is wrong with a decision: names the column and never quotes the value."""


class FileFaults(ValueError):
    """What is wrong with a file of decisions, each fault with its line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(faults[0])
        self.faults = faults


def decision(values: Mapping[str, str], reviewed_at: datetime, reviewer: str | None) -> Decision:
    """The decision that these texts say, by column.

    Args:
        values: an empty text is one that is missing.
        reviewed_at: the time where they say none.
        reviewer: the reviewer where they name none.

    Raises:
        Fault: a column is missing or wrong.
    """
    given = {name: text for name, text in values.items() if text}
    if reviewer:
        given.setdefault("reviewer", reviewer)
    for name in _NEEDED:
        if name not in given:
            raise Fault(f"{name} is missing")
    for name, most in _LONGEST.items():
        if len(given.get(name, "")) > most:
            raise Fault(f"{name}: longer than {most} characters")
    if given["outcome"] not in OUTCOMES:
        raise Fault(f"outcome: must be one of {', '.join(OUTCOMES)}")
    if "@" in given.get("reviewer", ""):
        raise Fault("reviewer: use a pseudonym or a team name, not an email address")
    try:
        at = instant(given["reviewed_at"]) if "reviewed_at" in given else reviewed_at
    except (ValueError, OverflowError):
        raise Fault("reviewed_at: not a valid time. Example: 2026-11-23T08:00:00Z") from None
    return Decision(
        given["claim_id"],
        given["outcome"],
        at,
        _amount(given.get("amount_recovered")),
        given.get("reviewer"),
        given.get("note"),
    )


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        # Python's own grouping and digits; and a zero keeps an exponent of any size.
        amount = (Decimal(text) or Decimal(0)) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        amount = None
    if amount is None:
        raise Fault("amount_recovered: not a valid number. Example: 1234.50") from None
    if not amount.is_finite() or amount < 0 or numeric_fault(amount):
        raise Fault("amount_recovered: must be 0 or more and fit in a NUMERIC column")
    return amount


def read(
    lines: Iterable[str], delimiter: str, now: datetime, reviewer: str | None
) -> list[tuple[int, Decision]]:
    """The decisions of a CSV file with a header, each with the number of its line.

    Raises:
        FileFaults: the file has faults; all of them are listed.
    """
    found: list[tuple[int, Decision]] = []
    faults: list[str] = []
    seen: dict[tuple[str, datetime], int] = {}
    for number, header, row in _rows(lines, delimiter):
        try:
            if len(row) != len(header):
                raise Fault(f"has {counted(len(row), 'field')}, but the header has {len(header)}")
            texts = (text.strip() for text in row)
            made = decision(dict(zip(header, texts, strict=True)), now, reviewer)
            before = seen.setdefault((made.claim_id, made.reviewed_at), number)
            if before != number:
                raise Fault(f"same claim_id and reviewed_at as line {before}")
        except Fault as fault:
            faults.append(f"line {number}: {fault}")
        else:
            found.append((number, made))
    if faults:
        raise FileFaults(faults)
    return found


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str], list[str]]]:
    table = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(table, [])
        if not {*_NEEDED} <= {*header} <= {*COLUMNS} or len({*header}) < len(header):
            others = ", ".join(COLUMNS[len(_NEEDED) :])
            raise FileFaults(
                [f"line 1: must be a header with claim_id, outcome and any of {others}, each once"]
            )
        for row in table:
            if row:
                yield table.line_num, header, row
    except csv.Error:
        raise FileFaults([f"line {table.line_num}: not valid CSV"]) from None

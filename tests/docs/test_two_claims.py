"""docs/understand/two_claims.md lists the files that its two claims pass through, and no other."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import pipeline
from pipeline.claims.contract import Contract
from pipeline.claims.error_row import error_row
from pipeline.claims.message import Message
from pipeline.claims.tables import Table, claims_table, errors_table
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from tests.support.claims.core import ENRICH, NOW, PARSE, VALIDATE, through
from tests.support.docs.pages import ROOT, Page

PAGE = Page(ROOT, ROOT / "docs/understand/two_claims.md")
GOOD, BAD = (block.text for block in PAGE.blocks() if block.language == "json")
STAGES = (PARSE, VALIDATE, ENRICH)
SHARED = {f"pipeline/claims/{name}.py" for name in ("columns", "memory", "message")}
"""Types that the page names in its text: they are passed around, and decide nothing."""
PACKAGE = Path(pipeline.__file__).parent
SIGNALS = "pipeline/claims/signals/"


def listed(heading: str) -> list[str]:
    """The files in the table under a heading, in its order."""
    section = PAGE.path.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| \[[^]]+\]\(\.\./\.\./(pipeline/[^)]+)\)", section, re.M)


def passed(process: Callable[[], Any]) -> list[str]:
    """The files of the pipeline in which code ran, in the order of their first call.

    The signals count as one: which of them run depends on the rules.
    """
    files: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            name = path.relative_to(PACKAGE.parent).as_posix()
            files[SIGNALS if name.startswith(SIGNALS) else name] = None

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        process()
    finally:
        sys.setprofile(before)
    return [name for name in files if name not in SHARED]


def message(text: str) -> Message:
    return Message(text.encode(), "1", NOW)


def good(text: str, encoder: RowEncoder) -> Any:
    """The row of a claim, which can be encoded."""
    decided = through(STAGES, [message(text)])
    assert not decided.rejected
    [encoded] = encoder.encode(decided.outcomes)
    assert isinstance(encoded, bytes)
    return decided.outcomes[0]


def bad(text: str, encoder: RowEncoder) -> Any:
    """The row of a rejected message, but for the versions, which can be encoded."""
    [(rejected, rejection)] = through(STAGES, [message(text)]).rejected
    row = error_row(rejected, rejection, NOW)
    [encoded] = encoder.encode([row])
    assert isinstance(encoded, bytes)
    return row


CLAIMS = claims_table(Contract.default())


@pytest.mark.parametrize(
    "heading, process, text, table",
    [("A good claim", good, GOOD, CLAIMS), ("A bad claim", bad, BAD, errors_table())],
    ids=["good", "bad"],
)
def test_the_page_lists_the_files_that_run(
    heading: str, process: Callable[[str, RowEncoder], Any], text: str, table: Table
) -> None:
    # The first message of a worker compiles what it needs; the one looked at is another.
    process(text.replace("2026-10", "2026-09"), RowEncoder(table.columns))
    encoder = RowEncoder(table.columns)
    assert passed(lambda: process(text, encoder)) == listed(heading)


def test_the_good_claim_is_scored_as_the_page_says() -> None:
    row = good(GOOD, RowEncoder(CLAIMS.columns))
    assert (row["fraud_risk_score"], row["high_risk_flag"]) == (0.7, True)
    assert row["risk_reasons"] == ("high_amount", "infant_high_amount")
    assert not row["quality_issues"]


def test_the_bad_claim_is_rejected_as_the_page_says() -> None:
    row = bad(BAD, RowEncoder(errors_table().columns))
    [shown] = (block.text for block in PAGE.blocks() if block.language == "text")
    lines = [f"{row['stage']}  {row['error_code']}  {row['error']}"]
    lines += [f"    {each['field']}: {each['message']}" for each in row["violations"]]
    assert shown.splitlines() == lines

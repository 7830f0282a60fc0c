"""Golden tables: what a file of claims becomes, to the last column, through the whole graph.

`make test ARGS="tests/whole/test_golden_tables.py --regenerate-golden"` writes the expected tables
anew. It fails on purpose: each line of `git diff tests/cases/graph` is a change that analysts will
see.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from pipeline import graph
from pipeline.claims.contract import Contract
from pipeline.claims.formats.json_documents import ERRORS
from pipeline.claims.rules import Rules, fields_read
from pipeline.claims.signals.facts import Facts
from pipeline.claims.tables import claims_table, errors_table
from pipeline.settings import Settings
from pipeline.transforms.sources import ReadFiles
from tests.support.memory_table import MemoryTable

CASES = Path(__file__).parents[1] / "cases/graph"
SETTINGS = Settings(Contract.default(), Rules.default(), 0.5, "0.0.0")


def noon() -> str:
    return "2026-11-23T12:00:00.000+00:00"


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict[str, Any]]]:
    """The rows of both tables, in the order of the input."""
    sinks = graph.Sinks(MemoryTable(), MemoryTable())
    with beam.Pipeline("FnApiRunner") as pipeline:
        messages = pipeline | "ReadMessages" >> ReadFiles(str(CASES / "input.ndjson"))
        graph.build(messages, SETTINGS, sinks, noon)
    lines = (CASES / "input.ndjson").read_bytes().splitlines()
    assert len(lines) == len(sinks.claims.rows) + len(sinks.errors.rows)
    assert len(set(lines)) == len(lines)
    return {
        name: [row for _, row in sorted(sink.elements, key=lambda each: lines.index(each[0].data))]
        for name, sink in (("claims", sinks.claims), ("errors", sinks.errors))
    }


def without_version(message_id: str) -> str:
    """The id without folder and version of the file, which differ by checkout."""
    named = re.fullmatch(r".*/(?P<name>[^/]+)#\d+-\d+:(?P<offset>\d+)", message_id)
    assert named
    return f"{named['name']}:{named['offset']}"


def readable(value: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


@pytest.mark.parametrize("name", ["claims", "errors"])
def test_golden_table(name: str, tables, request: pytest.FixtureRequest):
    rows = [{**row, "message_id": without_version(row["message_id"])} for row in tables[name]]
    text = json.dumps(rows, indent=1, ensure_ascii=False, default=readable) + "\n"
    path = CASES / f"{name}.json"
    if request.config.getoption("--regenerate-golden"):
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} is written anew: look at its git diff, and run without the flag")
    assert json.loads(text) == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name, table",
    [("claims", claims_table(Contract.default())), ("errors", errors_table())],
    ids=["claims", "errors"],
)
def test_rows_fill_only_columns_of_the_table(name: str, table, tables):
    columns = {column.name for column in table.columns}
    for row in tables[name]:
        assert row.keys() <= columns
        required = [column.name for column in table.columns if column.mode == "REQUIRED"]
        assert all(row[column] is not None for column in required)


@pytest.mark.parametrize("name", ["claims", "errors"])
def test_what_contract_1_made_of_its_messages_stands(name: str, tables):
    """The columns of 1.x hold what they held: its rows are on record, its messages come first.

    Only the words of a violation may change; its field and rule are what programs read.
    """
    before = json.loads((CASES / "contract_1.json").read_text(encoding="utf-8"))[name]
    now = json.loads(json.dumps(tables[name], default=readable))
    for row in (row for row in (*before, *now) if row.get("violations")):
        row["error"] = row["error"].partition(":")[0]
        for violation in row["violations"]:
            assert violation.pop("message")
    for old, row in zip(before, now, strict=False):
        changed = {column for column, value in old.items() if row[column] != value}
        assert changed <= {"contract_version", "rules_version", "message_id"}
    assert len(before) == sum(row["contract_version"] == "1.0.0" for row in before) <= len(now)


def test_every_rule_and_every_parse_error_is_in_the_tables(tables):
    fired = {rule for row in tables["claims"] for rule in row["risk_reasons"]}
    fired |= {rule for row in tables["claims"] for rule in row["quality_issues"]}
    rules = (*SETTINGS.rules.risk, *SETTINGS.rules.quality)
    facts = Facts({})  # the others read lists, which this job does not have
    assert fired == {rule.id for rule in rules if facts.has(fields_read(rule.when) or ())}
    codes = {row["error_code"] for row in tables["errors"] if row["stage"] == "parse"}
    assert codes == set(ERRORS) - {
        "message_too_large"
    }  # tests/whole/test_large_messages.py has that

"""`claims query`: the answers of the investigators' queries, and what the command refuses."""

import csv
import io
import json
from collections.abc import Callable
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops.main import main
from claims_ops.query.output import print_csv, print_json, print_table
from claims_ops.query.statement import Statement, listed
from claims_ops.shared.dispositions import DISPOSITIONS_TABLE, dispositions_name
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery import views
from pipeline.sinks.bigquery.table_setup import TableSetup

CASES = Path(__file__).parents[2] / "cases/queries/investigation"
QUERIES = sorted(path.stem for path in (CASES / "expected").glob("*.json"))


def case(name: str) -> Any:
    return json.loads((CASES / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def claims(bigquery_client: bigquery.Client) -> TableName:
    """The claims, what reviewers decided, and an empty error table beside."""
    table = TableName.parse(f"{bigquery_client.project}.investigation.claims")
    bigquery_client.create_dataset(f"{table.project}.{table.dataset}")
    setup = TableSetup(bigquery_client, create=True)
    setup.ensure(table, claims_table(Contract.default()))
    setup.ensure(dispositions_name(table), DISPOSITIONS_TABLE)
    setup.ensure(table._replace(table="errors"), errors_table())
    assert not bigquery_client.insert_rows_json(str(table), case("claims"))
    assert not bigquery_client.insert_rows_json(str(dispositions_name(table)), case("dispositions"))
    bigquery_client.query_and_wait(views.statements(table)[f"{table}_current"])
    return table


@pytest.fixture
def ask(claims: TableName, emulated: None, capsys) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["query", *words, f"--output-table={claims}"])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", QUERIES)
def test_answer(name: str, ask):
    given = [f"--param={each}" for each in case("parameters").get(name, [])]
    code, out, err = ask(name, *given, f"--rules={CASES / 'rules.json'}", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == case(f"expected/{name}")


def test_every_given_parameter_belongs_to_a_query():
    assert case("parameters").keys() <= {*QUERIES}


def test_every_query_is_listed_with_its_title_and_parameters(capsys):
    assert main(["query"]) == 0
    listing = capsys.readouterr().out
    assert all(f"{each.name}\n  {each.title}\n" in listing for each in listed())
    assert "--param capacity=INT64 [50]: Number of claims you have time to review." in listing
    assert {*QUERIES} <= {each.name for each in listed()}


def test_a_typo_is_bigquerys_to_tell(ask, tmp_path):
    file = tmp_path / "mine.sql"
    file.write_text("SELECT claim_idd FROM `${CLAIMS_TABLE}`")
    code, out, err = ask(str(file))
    assert (code, out) == (1, "")
    assert err.startswith("claims: BigQuery: ")
    assert "claim_idd" in err
    assert "http" not in err


@pytest.mark.parametrize(
    "words, told",
    [
        (["thresholdz"], "'thresholdz' is neither a query nor a file; did you mean thresholds?"),
        (["why_flagged"], "--param claim_id is required: ID of the claim."),
        (["why_flagged", "--param=x=1"], "--param x: no such parameter; this query takes claim_id"),
        (["why_flagged", "--param=claim_id"], "--param must have the form NAME=VALUE"),
        (["review_queue", "--param=capacity=CANARY"], "--param capacity: must be of type INT64"),
        (["thresholds", "--csv", "--json"], "--csv or --json, not both"),
        (["errors_today"], "needs --error-table"),
        (["thresholds", "--rules=nowhere"], "nowhere: No such file"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], told: str, ask):
    code, out, err = ask(*words)
    assert (code, out) == (2, "")
    assert told in err
    assert "CANARY" not in err


def test_a_file_of_ones_own(ask, tmp_path, claims):
    file = tmp_path / "mine.sql"
    file.write_text(
        "SELECT '@x $' AS text, @n + 1 AS n, @day AS day, @word AS word -- @no\n"
        "FROM `${CLAIMS_TABLE}` LIMIT 1"
    )
    words = ["--param=n=41", "--param=day=2026-11-28", "--param=word=a b"]
    code, out, err = ask(str(file), *words, "--csv")
    assert (code, out, err) == (0, "text,n,day,word\n'@x $,42,2026-11-28,a b\n", "")
    file.write_text("SELECT 1 FROM `${CLAIMS}`")
    assert "unknown placeholder ${CLAIMS}" in ask(str(file))[2]


def test_a_table_shows_the_first_rows(ask):
    code, out, _ = ask("claims_of_provider", "--param=provider_id=A", "--rows=2")
    assert code == 0
    assert "2 of 3 rows shown; --csv and --json print all of them" in out
    assert "a1" in out
    assert "a3" not in out
    assert "no rows" in ask("claims_of_provider", "--param=provider_id=nobody")[1]


def test_text_is_no_formula(capsys):
    row = {"a": "=HYPERLINK(1)", "b": "-1\n2", "c": -1, "d": Decimal("-0.10"), "e": ["@x"]}
    row["f"] = "x\r=HYPERLINK(1)"  # a spreadsheet takes an unquoted \r for the end of a row
    print_csv(list(row), [row])
    written = capsys.readouterr().out
    assert "\r\n" not in written
    ((*_,), cells) = csv.reader(io.StringIO(written, newline=""))
    assert cells == ["'=HYPERLINK(1)", "'-1\n2", "-1", "-0.1", '["@x"]', "x\r=HYPERLINK(1)"]


def test_no_digit_is_lost(capsys):
    """More than 28 were rounded."""
    amount = "12345678901234567890123456789.012345678"
    row = {"a": Decimal(amount), "b": Decimal("1E+3"), "c": Decimal("0E-9")}
    print_csv(list(row), [row])
    assert capsys.readouterr().out == f"a,b,c\n{amount},1000,0\n"
    print_table(list(row), [row], 1, 1)
    assert f"{Decimal(amount):,f}" in capsys.readouterr().out


def test_nothing_is_an_order_to_the_terminal(capsys, monkeypatch):
    row = {"a": "\x1b[2J\x9b2J\u202e\U000e0001"}
    print_json([row])
    written = capsys.readouterr().out
    assert written.removesuffix("\n").isprintable()
    assert json.loads(written) == [row]
    print_csv(list(row), [row])
    assert row["a"] in capsys.readouterr().out  # a file holds what the table holds
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_csv(list(row), [row])
    assert capsys.readouterr().out == "a\n\\x1b[2J\\x9b2J\\u202e\\U000e0001\n"


def test_json_keeps_every_digit(capsys):
    print_json([{"a": Decimal("0.1")}, {"a": Decimal("12345678901234567.89")}])
    assert json.loads(capsys.readouterr().out) == [{"a": 0.1}, {"a": "12345678901234567.89"}]
    print_json([])
    assert capsys.readouterr().out == "[]\n"


def test_json_is_json_whatever_the_columns_hold(capsys):
    print_json([{"ratio": float("nan"), "most": float("-inf"), "at": time(8, 30), "other": 2j}])
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert rows == [{"ratio": "nan", "most": "-inf", "at": "08:30:00", "other": "2j"}]


def test_comments_and_texts_hold_no_parameters():
    statement = Statement.of(
        "x", "-- Title.\n-- @a INT64 = 1: A.\nSELECT @a, '@b', \"@c\", @d # @e"
    )
    assert [(each.name, each.type) for each in statement.parameters] == [("a", "INT64"), ("d", "")]
    assert statement.title == "Title."


def test_no_error_and_no_log_holds_a_value(ask, tmp_path, caplog):
    """Answers hold what the query selects; nothing else that the command says does."""
    file = tmp_path / "mine.sql"
    file.write_text("SELECT nothing FROM `${CLAIMS_TABLE}` WHERE claim_id = @claim")
    for words in (
        [str(file), "--param=claim=CANARY"],
        ["why_flagged", "--param=claim_id=CANARY", "--param=other=CANARY"],
        ["review_queue", "--param=capacity=CANARY"],
        ["why_flagged", "--param=claim_id=CANARY"],
    ):
        _, out, err = ask(*words)
        assert "CANARY" not in out + err + caplog.text

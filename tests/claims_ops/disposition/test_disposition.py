"""`claims disposition`: what is checked, what is written, and which decision counts."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from google.cloud import bigquery

from claims_ops.disposition.decision import FileFaults, read
from claims_ops.main import main
from claims_ops.shared.dispositions import (
    DISPOSITIONS_TABLE,
    OUTCOMES,
    dispositions_name,
    judged_claims,
)
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table
from pipeline.sinks.bigquery.table_setup import TableSetup

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HEADER = "claim_id,outcome,amount_recovered,reviewer,reviewed_at,note\n"
WRONG = {
    "CANARY1": "has 1 field, but the header has 6",
    ",proper,,,,": "claim_id is missing",
    "CANARY2,,,,,": "outcome is missing",
    "CANARY3,CANARY,,,,": "outcome: must be one of " + ", ".join(OUTCOMES),
    "CANARY4,proper,CANARY,,,": "amount_recovered: not a valid number. Example: 1234.50",
    "CANARY4b,proper,1_000,,,": "amount_recovered: not a valid number. Example: 1234.50",
    "CANARY5,proper,-1,,,": "amount_recovered: must be 0 or more and fit NUMERIC",
    "CANARY6,proper,NaN,,,": "amount_recovered: must be 0 or more and fit NUMERIC",
    "CANARY7,proper,1.0000000001,,,": "amount_recovered: must be 0 or more and fit NUMERIC",
    "CANARY8,proper,,a@CANARY.example,,": "reviewer: use a pseudonym or a team name, not an email"
    " address",
    "CANARY9,proper,,,CANARY,": "reviewed_at: not a valid time. Example: 2026-11-23T08:00:00Z",
    f"{'CANARY' * 22},proper,,,,": "claim_id: longer than 128 characters",
    f"CANARY10,proper,,,,{'x' * 1001}": "note: longer than 1000 characters",
}


def test_every_outcome_is_in_the_description_of_the_column():
    described = {column.name: column.description for column in DISPOSITIONS_TABLE.columns}[
        "outcome"
    ]
    assert [name for name in OUTCOMES if name not in described] == []


def test_all_faults_are_listed_by_line_and_without_values():
    with pytest.raises(FileFaults) as caught:
        read([HEADER, *(f"{line}\n" for line in WRONG)], ",", NOW, None)
    expected = [f"line {number}: {text}" for number, text in enumerate(WRONG.values(), 2)]
    assert caught.value.faults == expected
    assert "CANARY" not in "".join(caught.value.faults)


@pytest.mark.parametrize(
    "header", ["", "claim_id\n", "claim_id,outcome,x\n", "outcome,claim_id,note,note\n"]
)
def test_header_is_checked(header: str):
    with pytest.raises(FileFaults, match="line 1: must be a header"):
        read([header, "c1,proper,1,2\n"], ",", NOW, None)


@pytest.mark.parametrize("reviewer", ["a@CANARY.example", "x" * 65])
def test_the_reviewer_of_the_command_line_is_checked_too(reviewer: str):
    with pytest.raises(FileFaults, match="line 2: reviewer: "):
        read(StringIO("claim_id,outcome\nC-1,proper\n"), ",", NOW, reviewer)


def test_a_zero_of_a_hundred_million_decimals():
    [(_, made)] = read(StringIO(HEADER + "C-1,proper,0E-99999999,,,\n"), ",", NOW, None)
    assert f"{made.amount_recovered:f}" == "0"


def test_two_decisions_at_one_time_are_refused():
    with pytest.raises(FileFaults, match="line 3: same claim_id and reviewed_at as line 2"):
        read(["claim_id,outcome\n", "c1,proper\n", "c1,under_review\n"], ",", NOW, None)


def test_columns_come_in_any_order():
    text = 'note;outcome;claim_id;amount_recovered\n"a;\nb"; proper ;c1;0.10\n'
    ((line, made),) = read(StringIO(text), ";", NOW, "team-a")
    assert line == 3
    assert made == ("c1", "proper", NOW, Decimal("0.10"), "team-a", "a;\nb")


@pytest.fixture
def claims(bigquery_client: bigquery.Client, dataset: str, emulated: None) -> TableName:
    """A table of the claims c0 to c9."""
    table = TableName.parse(f"{dataset}.claims")
    TableSetup(bigquery_client, create=True).ensure(table, claims_table(Contract.default()))
    rows = [
        {
            "claim_id": f"c{number}",
            "patient_id": "p",
            "provider_id": "v",
            "claim_amount": "10",
            "synthetic_label_is_fraud": 1 if number == 9 else None,
            "processing_timestamp": "2026-11-28T00:00:00Z",
        }
        for number in range(10)
    ]
    assert not bigquery_client.insert_rows_json(str(table), rows)
    return table


def test_the_newest_decision_counts(claims, bigquery_client, tmp_path, capsys):
    file = tmp_path / "decisions.csv"
    file.write_text(
        "claim_id,outcome,reviewed_at,amount_recovered,note\n"
        'c1,confirmed_fraud,2026-11-02,10.5,it\'s "so"\n'
        "c1,under_review,2026-11-01,,\n"
        "c2,proper,2026-11-02T08:00+02:00,,\n"
        "c9,under_review,2026-11-02,,\n"
    )
    words = [f"--output-table={claims}"]
    for _ in range(2):  # again changes nothing that counts
        assert main(["disposition", "import", *words, "--reviewer=team-a", str(file)]) == 0
    add = ["disposition", "add", *words, "--claim-id=c2", "--outcome=improper_payment"]
    assert main([*add, "--amount-recovered=3", "--reviewer=r7"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "recorded 4 decisions",
        "recorded 1 decision",
    ]
    judged = judged_claims(f"`{claims}`", dispositions_name(claims))
    rows = bigquery_client.query_and_wait(
        f"SELECT claim_id, is_improper, verdict_from, disposition_outcome, amount_recovered"
        f" FROM {judged} WHERE claim_id IN ('c1', 'c2', 'c3', 'c9') ORDER BY claim_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("c1", True, "disposition", "confirmed_fraud", Decimal("10.5")),
        ("c2", True, "disposition", "improper_payment", Decimal(3)),
        ("c3", None, None, None, None),
        ("c9", True, "label", "under_review", None),
    ]
    stored = bigquery_client.query_and_wait(
        f"SELECT reviewer, note FROM `{dispositions_name(claims)}` WHERE note IS NOT NULL"
    )
    assert {tuple(row.values()) for row in stored} == {("team-a", 'it\'s "so"')}


def test_unknown_claims_are_named_by_line_and_nothing_is_recorded(
    claims, bigquery_client, tmp_path, capsys
):
    file = tmp_path / "decisions.csv"
    file.write_text("claim_id,outcome\nc1,proper\nCANARY,proper\n")
    words = [f"--output-table={claims}"]
    assert main(["disposition", "import", *words, str(file)]) == 1
    add = ["disposition", "add", *words, "--claim-id=CANARY", "--outcome=proper"]
    assert main(add) == 1
    assert main([*add, "--amount-recovered=CANARY"]) == 2
    told = capsys.readouterr().err
    assert f"{file}: line 3: claim_id: {claims} does not contain this claim" in told
    assert "--amount-recovered: not a valid number" in told
    assert "CANARY" not in told
    assert [
        each.table_id for each in bigquery_client.list_tables(str(claims).rpartition(".")[0])
    ] == ["claims"]

"""`claims backtest`: the same numbers as a second backfill, from the table and from files."""

import csv
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.cloud import bigquery

from claims_ops.backtest import command
from claims_ops.backtest.comparison import Batch, Comparison, Outcome
from claims_ops.backtest.stored_claims import columns_read
from claims_ops.backtest.summary import figures, table_of_rules
from claims_ops.main import main
from claims_ops.shared.dispositions import DISPOSITIONS_TABLE, dispositions_name
from pipeline.claims.contract import Contract
from pipeline.claims.rules import Rules, default_rules_text
from pipeline.claims.signals import provider_profile
from pipeline.claims.tables import TableName, claims_table
from pipeline.sinks.bigquery import views
from pipeline.sinks.bigquery.table_setup import TableSetup
from tests.support import backfill
from tests.support.claims.stored_rows import stored
from tests.support.privacy import canaries, job

CLAIMS = int(os.environ.get("BACKTEST_CLAIMS", "400"))
"""Claims of the backfills. With 100000, the test takes some minutes."""
COLUMNS = claims_table(Contract.default()).columns


def changed_rules(folder: Path, **weights: float) -> Path:
    """The default rules with other weights."""
    document = json.loads(default_rules_text())
    document["version"] = "tried"
    for rule in document["risk_rules"]:
        rule["weight"] = weights.get(rule["id"], rule["weight"])
    path = folder / "tried.json"
    path.write_text(json.dumps(document))
    return path


class Stored:
    """Queries that find these rows, as Arrow gives them; their labels say what was improper."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def has(self, name: TableName) -> bool:
        return not name.table.endswith(("_current", "_dispositions"))

    def columns(self, name: TableName) -> frozenset[str]:
        return frozenset(self._table.column_names)

    def columns_of(self, sql: str, _: Any, most_rows: int) -> Iterator[dict[str, list[Any]]]:
        names = [name for name in self._table.column_names if re.search(rf"\b{name}\b", sql)]
        for batch in self._table.to_batches(max_chunksize=most_rows):
            rows = batch.select(names).to_pydict()
            labels = batch["synthetic_label_is_fraud"].to_pylist()
            rows["is_improper"] = [None if label is None else label == 1 for label in labels]
            rows["amount_recovered"] = [None] * len(rows["claim_id"])
            rows["processing_time"] = [
                each.date() for each in batch["processing_timestamp"].to_pylist()
            ]
            yield rows


@pytest.fixture
def found(monkeypatch):
    """Have the command find a table."""

    def find(table: pa.Table) -> None:
        @contextmanager
        def connect(_: str) -> Iterator[Stored]:
            yield Stored(table)

        monkeypatch.setattr(command, "connect", connect)

    return find


def backfilled(path: Path, *arguments: str) -> list[dict[str, Any]]:
    """The rows of the claims table after a backfill."""
    with job.server(Contract.default()) as server:
        address = f"--bigquery_storage_endpoint={server.address}"
        backfill.run(path, address, "--runner=FnApiRunner", *arguments)
        return list(server.tables[job.CLAIMS].rows)


def claims_file(folder: Path, count: int) -> Path:
    path = folder / "claims.ndjson"
    words = [f"--count={count}", "--seed=5", f"--output={path}", "--quiet"]
    assert main(["generate", *words, "--now=2026-11-28T00:00:00Z"]) == 0
    return path


def test_its_numbers_are_those_of_a_second_backfill(found, tmp_path, capsys):
    claims, rules = claims_file(tmp_path, CLAIMS), changed_rules(tmp_path, high_amount=0.6)
    first, second = backfilled(claims), backfilled(claims, f"--rules={rules}")
    found(stored(first, COLUMNS))
    changed = tmp_path / "changed.csv"
    words = ["--output-table=my-project.claims.claims", f"--rules={rules}", "--json"]
    assert main(["backtest", *words, f"--changed={changed}", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)

    def key(row: Mapping[str, Any]) -> str:
        return row["message_id"]

    before, after = ({key(row): row for row in rows} for rows in (first, second))
    assert before.keys() == after.keys()
    pairs = [(before[each], after[each]) for each in before]
    newly = [new for old, new in pairs if new["high_risk_flag"] and not old["high_risk_flag"]]
    assert told["claims"] == len(first)
    assert told["today"]["claims"] == sum(row["high_risk_flag"] for row in first)
    assert told["tried"]["claims"] == sum(row["high_risk_flag"] for row in second)
    assert told["newly_flagged"]["claims"] == len(newly) > 0
    assert Decimal(str(told["newly_flagged"]["amount"])) == sum(
        Decimal(row["claim_amount"]) for row in newly
    )
    assert told["no_longer_flagged"]["claims"] == 0
    assert told["scores_changed"] == sum(
        old["fraud_risk_score"] != new["fraud_risk_score"] for old, new in pairs
    )
    for each in told["by_rule"]:
        fired = [row for row in second if each["rule"] in row.get("risk_reasons", ())]
        assert each["tried"]["claims"] == len(fired)
    with changed.open() as file:
        listed = sorted((row["claim_id"], row["score_tried"]) for row in csv.DictReader(file))
    assert listed == sorted((row["claim_id"], str(row["fraud_risk_score"])) for row in newly)
    assert stat.S_IMODE(changed.stat().st_mode) == 0o600


def test_files_and_the_table_agree(found, tmp_path, capsys):
    claims, rules = claims_file(tmp_path, 300), changed_rules(tmp_path, high_amount=0.6)
    with claims.open("a") as file:
        file.write("no claim\n")
    words = [f"--rules={rules}", "--json", "--quiet"]
    assert main(["backtest", *words, str(claims)]) == 0
    of_files = json.loads(capsys.readouterr().out)
    found(stored(backfilled(claims), COLUMNS))
    assert main(["backtest", *words, "--output-table=my-project.claims.claims"]) == 0
    of_table = json.loads(capsys.readouterr().out)
    for name in ("claims", "amount", "scores_changed", "by_provider", "by_day"):
        assert of_files[name] == of_table[name]
    for name in ("today", "tried", "newly_flagged"):
        assert of_files[name]["claims"] == of_table[name]["claims"]
    assert of_files["rejected_messages"] == 1


def test_files_that_scored_the_claims_and_were_not_passed_are_named(found, tmp_path, capsys):
    rows, page = backfilled(claims_file(tmp_path, 100)), tmp_path / "page.html"
    versions = (["provider_profile=a1", "rules=2"], ["claim_percentiles=b2", "mue_table="], [])
    used = [{**row, "reference_versions": versions[n % 3]} for n, row in enumerate(rows)]
    found(stored(used, COLUMNS))
    count = sum(bool(each["reference_versions"]) for each in used)
    words = ["backtest", "--output-table=my-project.claims.claims", "--threshold=0.4", "--quiet"]
    note = (
        f"{count} claims were scored with claim_percentiles and provider_profile, which were not"
        " passed: rules that read them cannot fire here; pass --claim-percentiles and"
        " --provider-profile, or --against FILE to compare both sets of rules using the same files"
    )
    assert main([*words, f"--html={page}"]) == 0
    assert note in capsys.readouterr().out.splitlines()
    assert note in page.read_text()

    def notes(*more: str) -> list[str]:
        assert main([*words, "--json", *more]) == 0
        told: list[str] = json.loads(capsys.readouterr().out)["notes"]
        return told

    assert notes() == [note]
    profile = tmp_path / "provider_profile.csv"
    names = provider_profile.COLUMNS
    profile.write_text(f"{','.join(names)}\nPRV1,2026-11-28{',1' * (len(names) - 2)}\n")
    [other] = notes(f"--provider-profile={profile}")
    assert "scored with claim_percentiles, which was not passed: rules that read it" in other
    assert notes(f"--against={changed_rules(tmp_path)}") == []
    rules = json.loads(default_rules_text())
    rules["risk_rules"] = [each for each in rules["risk_rules"] if each["id"] == "high_amount"]
    (tmp_path / "one.json").write_text(json.dumps(rules))
    assert notes(f"--rules={tmp_path}/one.json") == []
    older = [column for column in COLUMNS if column.name != "reference_versions"]
    found(stored(used, older))
    assert notes() == []


@pytest.fixture
def table(bigquery_client: bigquery.Client, dataset: str, emulated: None) -> TableName:
    """Three current claims and one that is replaced; what reviewers decided about two."""
    name = TableName.parse(f"{dataset}.claims")
    setup = TableSetup(bigquery_client, create=True)
    setup.ensure(name, claims_table(Contract.default()))
    setup.ensure(dispositions_name(name), DISPOSITIONS_TABLE)
    common = {"patient_id": "p", "claim_status": "PAID", "rules_version": "1"}
    rows = [
        {
            "claim_id": claim,
            "provider_id": f"v{claim}",
            "claim_amount": amount,
            "service_date": "2026-11-01",
            "fraud_risk_score": score,
            "high_risk_flag": score > 0.5,
            "risk_reasons": ["high_amount"] if score else [],
            "processing_timestamp": f"2026-11-2{place}T00:00:00Z",
            "message_id": claim,
            **common,
            **more,
        }
        for place, (claim, amount, score, more) in enumerate(
            [
                ("c0", "9000.25", 0.3, {}),
                ("c1", "100", 0.6, {}),
                ("c2", "8000", 0.3, {"claim_frequency_code": "1"}),
                ("c3", "7000", 0.3, {"claim_frequency_code": "7", "original_claim_id": "c2"}),
            ]
        )
    ]
    assert not bigquery_client.insert_rows_json(str(name), rows)
    decided = [
        {"claim_id": "c0", "outcome": "confirmed_fraud", "amount_recovered": "9000.25"},
        {"claim_id": "c1", "outcome": "proper"},
    ]
    decided = [{"reviewed_at": "2026-11-25T00:00:00Z", **each} for each in decided]
    assert not bigquery_client.insert_rows_json(str(dispositions_name(name)), decided)
    for view in (f"{name}_current", f"{name}_current_between"):
        bigquery_client.query_and_wait(views.statements(name)[view])
    return name


def test_no_id_is_a_formula_of_the_list_of_changes(tmp_path: Path):
    claims, changed = claims_file(tmp_path, 100), tmp_path / "changed.csv"
    claims.write_text(re.sub('"claim_id": *"', '"claim_id":"=1+', claims.read_text()))
    words = [str(claims), "--threshold=0", "--against-threshold=1", f"--changed={changed}"]
    assert main(["backtest", *words, "--quiet"]) == 0
    with changed.open() as file:
        ids = [row["claim_id"] for row in csv.DictReader(file)]
    assert ids and all(each.startswith("'=1+") for each in ids)


def test_a_forged_reason_is_no_formula_and_no_order_to_the_terminal():
    reason = "=1+\x1b[2J"
    scores = Outcome([1.0], [True], [[reason]])
    claims = {name: [1] for name in ("claim_id", "provider_id", "claim_amount")}
    batch = Batch(claims, ["2026-01-01"], [None], [None], scores)
    tried, comparison = Outcome([0.0], [False], [[]]), Comparison()
    assert list(comparison.add(batch, scores, tried)) == [0]
    assert f"'{reason}" in command._changed_row(batch, scores, tried, 0)
    [row] = table_of_rules(figures(comparison, {}))
    assert row[0] == "=1+\\x1b[2J"


@pytest.mark.parametrize("option", ["--threshold", "--against-threshold", "--sample"])
def test_nan_is_no_number(option: str, capsys):
    words = ["--output-table=my-project.claims.claims", f"{option}=nan"]
    assert main(["backtest", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_current_claims_and_dispositions_count(table: TableName, tmp_path, capsys):
    rules = changed_rules(tmp_path, high_amount=0.6)
    words = ["backtest", f"--output-table={table}", f"--rules={rules}", "--json", "--quiet"]
    assert main([*words, "--by=processing_time"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["claims"] == 3
    assert {name: told["today"][name] for name in ("claims", "precision", "recall")} == {
        "claims": 1, "precision": 0.0, "recall": 0.0,
    }  # fmt: skip
    assert told["tried"] == {
        "claims": 2, "amount": 16000.25, "known": 1, "improper": 1, "improper_amount": 9000.25,
        "amount_recovered": 9000.25, "precision": 1.0, "recall": 1.0,
    }  # fmt: skip
    assert told["newly_flagged"]["claims"] == 2
    assert told["no_longer_flagged"]["amount"] == 100
    assert told["rules_versions_today"] == {"1": 3}
    days = [(each["day"], each["today"], each["tried"]) for each in told["by_day"]]
    assert days == [("2026-11-20", 0, 1), ("2026-11-21", 1, 0), ("2026-11-23", 0, 1)]
    assert main([*words, "--until=2026-11-21"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"] == 1
    sampled = set()
    for percent in (1, 50, 99.9999):
        assert main([*words, f"--sample={percent}"]) == 0
        sampled.add(json.loads(capsys.readouterr().out)["claims"])
    assert max(sampled) <= 3
    assert len(sampled) > 1


@pytest.mark.parametrize(
    "words, told",
    [
        ([], "Pass either --output-table or files"),
        (["--output-table=p-project.d.t", "x.ndjson"], "Pass either --output-table or files"),
        (["--since=2026-11-01", "x.ndjson"], "work only with --output-table"),
        (["--rules=nowhere.json", "x.ndjson"], "nowhere.json: No such file"),
        (["--mue-table=nowhere.csv", "x.ndjson"], "--mue-table: nowhere.csv: no such file"),
        (["--threshold=2", "x.ndjson"], "--threshold"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], told: str, capsys):
    assert main(["backtest", *words]) == 2
    assert told in capsys.readouterr().err


def test_an_empty_file_is_no_error(tmp_path, capsys):
    (tmp_path / "none.ndjson").touch()
    assert main(["backtest", str(tmp_path / "none.ndjson")]) == 0
    assert "0 claims from files" in capsys.readouterr().out


def test_no_claim_comes_out_but_provider_ids(tmp_path, capsys):
    """Of claims with a canary in every field, text, page and JSON name the provider alone."""
    file, page = tmp_path / "claims.ndjson", tmp_path / "page.html"
    hostile = "<script>alert(1)</script>\x1b[2J"
    claims = [canaries.claim(provider_id=hostile, claim_amount=735924.18 + n) for n in range(3)]
    file.write_text("\n".join(map(json.dumps, claims)))
    rules = changed_rules(tmp_path, high_amount=1)
    words = ["backtest", str(file), f"--rules={rules}", "--against-threshold=1"]
    assert main([*words, "--by=submission_date", f"--html={page}"]) == 0
    text = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    as_json = capsys.readouterr().out
    for output in (text, page.read_text(), as_json):
        assert canaries.MARK not in output
        assert "\x1b" not in output
    assert "<script>alert" not in page.read_text()
    assert "735,924" not in text + page.read_text()
    assert "$736,000" not in text  # of one claim; there are three
    assert "$2,210,000" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J" in page.read_text()


def test_only_columns_that_rules_need_are_read():
    rules = Rules.default()
    read = columns_read(rules)
    assert {"claim_amount", "patient_age", "patient_birth_date", "service_date"} <= read
    assert read <= {column.name for column in Contract.default().columns}
    rules.quality = ()
    assert "referring_npi" not in columns_read(rules)
    assert "notes" not in read


def test_providers_are_bounded(monkeypatch):
    from claims_ops.backtest import comparison

    monkeypatch.setattr(comparison, "MAX_PROVIDERS", 2)
    claims = {"claim_amount": [1] * 4, "provider_id": list("abcd")}
    some = [None] * 4
    made = Comparison()
    no = comparison.Outcome([0.0] * 4, [False] * 4, [()] * 4)
    yes = comparison.Outcome([1.0] * 4, [True] * 4, [("r",)] * 4)
    batch = comparison.Batch(claims, some, some, some, None)
    assert list(made.add(batch, no, yes)) == [0, 1, 2, 3]
    told = figures(made, {})
    shown = {each["provider_id"]: each["newly_flagged"]["claims"] for each in told["by_provider"]}
    assert shown == {"(all others)": 2, "a": 1, "b": 1}


def test_the_page_is_whole(tmp_path):
    file, page = claims_file(tmp_path, 200), tmp_path / "page.html"
    assert main(["backtest", str(file), "--threshold=0.1", f"--html={page}"]) == 0
    html = page.read_text()
    assert "default-src 'none'" in html
    assert "<script" not in html
    for title in ("Flagged", "By rule", "Providers with the most changes", "Flagged by day"):
        assert f"<h2>{title}</h2>" in html

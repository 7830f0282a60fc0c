"""`claims reconcile` on the emulator: when the balance closes, and what it says when not."""

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from claims_ops.reconcile import reconciliation
from claims_ops.reconcile.command import line_ids
from claims_ops.shared.replays import REPLAYS_TABLE
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery.table_setup import TableSetup
from pipeline.transforms.source_files import match

pytestmark = pytest.mark.usefixtures("emulated")

DAY, NEXT_DAY = "2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z"
CLAIM = {"claim_id": "C", "patient_id": "P", "provider_id": "V", "claim_amount": "1"}
ERROR = {"stage": "parse", "error_code": "invalid_json", "error": "the message is not JSON"}


class Tables:
    """The three tables, with rows of the test's choice."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client, self._dataset = client, dataset
        kinds = {
            "claims": claims_table(Contract.default()),
            "errors": errors_table(),
            "errors_replays": REPLAYS_TABLE,
        }
        for name, table in kinds.items():
            TableSetup(client, create=True).ensure(TableName.parse(f"{dataset}.{name}"), table)

    def claims(self, *ids: str, at: str = DAY, original: str | None = None) -> None:
        self._add("claims", "processing_timestamp", ids, at, original, CLAIM)

    def errors(self, *ids: str, at: str = DAY, original: str | None = None) -> None:
        self._add("errors", "error_timestamp", ids, at, original, ERROR)

    def part(
        self, table: str, message_id: str, index: int, count: int, original: str | None = None
    ) -> None:
        """A row of one claim of a message."""
        row, timestamp = (
            (CLAIM, "processing_timestamp") if table == "claims" else (ERROR, "error_timestamp")
        )
        part = {"claim_index": index, "claims_in_message": count}
        self._add(table, timestamp, [message_id], DAY, original, {**row, **part})

    def replay(self, original: str, new_id: str) -> None:
        row = {"stage": "parse", "error_code": "x", "topic": "t", "replay_count": 1}
        ids = {
            "message_id": original,
            "original_message_id": original,
            "replayed_message_id": new_id,
        }
        self._insert("errors_replays", [row | ids | {"replay_timestamp": DAY}])

    def _add(
        self,
        table: str,
        timestamp: str,
        ids: Iterable[str],
        at: str,
        original: str | None,
        row: dict[str, Any],
    ) -> None:
        self._insert(
            table,
            [
                {
                    **row,
                    timestamp: at,
                    "message_id": each,
                    "original_message_id": original,
                    "publish_time": None if "ndjson" in each else at,
                }
                for each in ids
            ],
        )

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        assert not self._client.insert_rows_json(f"{self._dataset}.{table}", rows)

    def reconcile(self, *arguments: str) -> int:
        tables = ("--output-table", f"{self._dataset}.claims")
        errors = ("--error-table", f"{self._dataset}.errors")
        return cli.main(["reconcile", *tables, *errors, *arguments])


@pytest.fixture
def tables(bigquery_client: bigquery.Client, dataset: str) -> Tables:
    made = Tables(bigquery_client, dataset)
    made.claims("1", "2", "3")
    made.errors("4", "5")
    return made


def test_it_closes(tables: Tables, capsys):
    assert tables.reconcile("--published", "5") == 0
    assert capsys.readouterr().out == "published 5 = 3 claims + 2 errors\nduplicates: none\n"


def test_json_has_the_same_figures(tables: Tables, capsys):
    assert tables.reconcile("--published", "7", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert {name: value for name, value in told.items() if value} == {
        "published": 7,
        "missing": 2,
        "claims": 3,
        "errors": 2,
    }
    assert told["closes"] is False


@pytest.mark.parametrize(
    "published, said", [("7", "missing: 2 messages"), ("4", "unexpected: 1 more message than")]
)
def test_it_does_not_close(published: str, said: str, tables: Tables, capsys):
    assert tables.reconcile("--published", published) == 1
    shown = capsys.readouterr()
    assert f"published {published} ≠ 3 claims + 2 errors" in shown.out
    assert said in shown.out
    assert shown.err == "claims: the numbers do not match\n"


def test_duplicates_are_told_and_do_not_count(tables: Tables, capsys):
    tables.claims("1", "1", "2", "4")
    tables.errors("5")
    assert tables.reconcile("--published", "5") == 0
    assert capsys.readouterr().out.splitlines() == [
        "published 5 = 4 claims + 1 error",
        "duplicates: 3 rows in claims, 1 row in errors, 1 message in both, 0 claims accepted"
        " again by replays",
    ]


def test_a_replayed_message_is_still_one_message(tables: Tables, capsys):
    tables.replay("4", "104")
    tables.claims("104", original="4")  # repaired
    tables.replay("5", "105")
    tables.errors("105", original="5")  # failed again
    assert tables.reconcile("--published", "5") == 0
    assert capsys.readouterr().out.splitlines() == [
        "published 5 = 4 claims + 1 error",
        "replays: 2 of 2 recorded replays have a row",
        "duplicates: none",
    ]


def test_a_replay_without_a_row_is_missing(tables: Tables, capsys):
    tables.replay("4", "104")
    assert tables.reconcile("--published", "5") == 1
    shown = capsys.readouterr()
    assert "replays: 0 of 1 recorded replays have a row" in shown.out
    assert (
        "wait until the job has worked through the replays, then run this command again"
        in shown.err
    )


def test_a_replay_that_is_not_on_record_is_told(tables: Tables, capsys):
    tables.replay("4", "104")
    tables.claims("104", original="4")
    tables.claims("204", original="4")
    assert tables.reconcile("--published", "5") == 0
    out = capsys.readouterr().out
    replays = "replays: 1 of 1 recorded replays have a row; 1 more has a row but was not recorded"
    assert replays in out
    assert "1 claim accepted again by replays" in out


def test_a_range_of_time_takes_later_replays_along(tables: Tables, capsys):
    tables.claims("6", "7", at=NEXT_DAY)
    tables.errors("8", at=NEXT_DAY)
    tables.replay("4", "104")
    tables.claims("104", at=NEXT_DAY, original="4")
    assert tables.reconcile("--published", "5", "--until", "2026-11-24") == 0
    assert "published 5 = 4 claims + 1 error" in capsys.readouterr().out
    assert tables.reconcile("--published", "3", "--since", "2026-11-24") == 0
    assert tables.reconcile("--published", "8") == 0
    assert tables.reconcile("--published", "0", "--since", "2026-11-25") == 0


def test_lines_of_files_are_no_published_messages(tables: Tables):
    tables.claims("a.ndjson:0")
    tables.errors("a.ndjson:9")
    assert tables.reconcile("--published", "5") == 0


def test_given_ids_name_what_is_missing(
    tables: Tables, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reconciliation, "IDS_A_QUERY", 3)
    monkeypatch.setattr(reconciliation, "MISSING_SHOWN", 2)
    tables.replay("4", "104")
    tables.claims("104", original="4")
    ids = tmp_path / "ids"
    ids.write_text("1\r\n2\n2\n\n4\n5\n")
    assert tables.reconcile("--message-ids", str(ids)) == 0
    assert "published 4 = 3 claims + 1 error\nreplays: 1 of 1" in capsys.readouterr().out
    ids.write_text("1\nx\n4\ny\nz\n104\n")
    assert tables.reconcile("--message-ids", str(ids)) == 1
    assert capsys.readouterr().out.splitlines()[:5] == [
        "published 6 ≠ 2 claims + 0 errors",
        "missing: 4 messages without a row",
        "  x",
        "  y",
        "  ...",
    ]


def test_a_replay_proves_its_original_whose_row_has_expired(tables: Tables, tmp_path: Path, capsys):
    """Rows of the error table expire; that of an accepted replay stays."""
    tables.replay("9", "109")
    tables.claims("109", original="9")
    ids = tmp_path / "ids"
    ids.write_text("1\n4\n9\n")
    assert tables.reconcile("--message-ids", str(ids)) == 0
    assert "published 3 = 2 claims + 1 error\n" in (out := capsys.readouterr().out)
    assert "replays: 1 of 1" in out
    assert tables.reconcile("--published", "5") == 0


def test_files_of_a_backfill_tell_the_ids(tables: Tables, tmp_path: Path, capsys):
    plain, packed = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz"
    plain.write_bytes(b"{}\n[\n\n")
    packed.write_bytes(gzip.compress(b"{}\n{}"))
    first, second = (f"{file.path}#{file.version}" for file in match(f"{tmp_path}/*.ndjson*"))
    tables.claims(f"{first}:0", f"{second}:0")
    tables.errors(f"{first}:3", f"{first}:5")
    assert tables.reconcile("--input-files", f"{tmp_path}/*.ndjson*") == 1
    out = capsys.readouterr().out
    assert "published 5 ≠ 2 claims + 2 errors" in out
    assert f"  {second}:3" in out
    tables.claims(f"{second}:3")
    assert tables.reconcile("--input-files", f"{tmp_path}/*.ndjson*") == 0


def test_another_file_under_the_same_name_is_no_proof(tables: Tables, tmp_path: Path, capsys):
    path = tmp_path / "day.ndjson"
    path.write_bytes(b"{}\n[\n")
    ids = list(line_ids(str(path)))
    tables.claims(ids[0])
    tables.errors(ids[1])
    assert tables.reconcile("--input-files", str(path)) == 0
    path.write_bytes(b"[]\n]\n")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000))  # the clock of files may be slow
    assert tables.reconcile("--input-files", str(path)) == 1
    assert "published 2 ≠ 0 claims + 0 errors" in capsys.readouterr().out


DAMAGED = {
    "cut": (gzip.compress(b"{}\n" * 3)[:-9], 3),
    "another sum": (gzip.compress(b"{}\n" * 2)[:-8] + bytes(8), 2),
}


@pytest.mark.parametrize("content, lines", DAMAGED.values(), ids=DAMAGED)
def test_damage_of_a_file_is_a_message_too(content, lines: int, tables, tmp_path: Path, capsys):
    path = tmp_path / "a.ndjson"  # told by its first bytes
    path.write_bytes(content)
    [file] = match(str(path))
    assert tables.reconcile("--input-files", str(path)) == 1
    ids = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert len(ids) == lines + 1 or len(ids) == 1  # as much as could be unpacked
    assert all(each.startswith(f"  {file.path}#{file.version}:") for each in ids)
    tables.claims(*(each.strip() for each in ids[:-1]))
    tables.errors(ids[-1].strip())
    assert tables.reconcile("--input-files", str(path)) == 0


def test_rows_of_csv_and_claims_of_x12(tables: Tables, tmp_path: Path):
    csv, x12 = tmp_path / "a.csv", tmp_path / "a.x12"
    csv.write_bytes(b'a|b\n1|"2\n3"\n4\n')
    x12.write_bytes(b"ST*837*1~BHT*0019~CLM*A~CLM*B~SE*5*1~")
    for path, given in ((csv, ["CSV", "--csv-delimiter", "|"]), (x12, ["X12"])):
        [file] = match(str(path))
        offsets = (4, 12) if path == csv else (18, 24)
        tables.claims(*(f"{file.path}#{file.version}:{each}" for each in offsets))
        files = ("--input-files", str(path), "--input-format")
        assert tables.reconcile(*files, *given) == 0


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        ([], 2, "Pass exactly one of"),
        (["--published", "1", "--input-files", "a"], 2, "Pass exactly one of"),
        (["--published", "-1"], 2, "--published"),
        (["--message-ids", "/no/such/file"], 2, "--message-ids"),
        (["--input-files", "/no/such/file"], 1, "no file matches /no/such/file"),
        (["--input-files", "/etc"], 1, "no file matches /etc"),
        (["--input-files", "{a,b}" * 20], 1, "its braces expand to more than"),
        (
            ["--published", "1", "--error-table", "local-project.x.errors"],
            1,
            "table local-project.x.errors does not exist",
        ),
        (["--published", "1", "--output-table", "a`; DROP"], 2, "--output-table"),
    ],
)
def test_called_wrongly_it_says_so_in_one_line(
    arguments: list[str], code: int, said: str, tables: Tables, capsys
):
    assert tables.reconcile(*arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_claims_of_one_message(tables: Tables, capsys):
    """Of 3 claims in a message two are accepted, and the third after a replay of it alone."""
    for index in (0, 2):
        tables.part("claims", "6", index, 3)
    assert tables.reconcile("--published", "6") == 1  # one of them has no row
    assert "missing: 1 message" in capsys.readouterr().out
    tables.part("errors", "6", 1, 3)
    assert tables.reconcile("--published", "6") == 0
    assert capsys.readouterr().out == (
        "published 6 = 3 claims + 3 errors\n"
        "messages with several claims: 1 (2 claims, 1 error)\n"
        "duplicates: none\n"
    )
    tables.replay("6", "7")
    tables.part("claims", "7", 1, 3, original="6")
    assert tables.reconcile("--published", "6") == 0
    assert capsys.readouterr().out == (
        "published 6 = 4 claims + 2 errors\n"
        "messages with several claims: 1 (3 claims, 0 errors)\n"
        "replays: 1 of 1 recorded replays have a row\n"
        "duplicates: none\n"
    )
    tables.part("claims", "6", 0, 3)
    assert tables.reconcile("--published", "6") == 0
    assert "duplicates: 1 row in claims" in capsys.readouterr().out


def test_message_that_its_replay_splits(tables: Tables, capsys):
    tables.replay("5", "8")
    for index in (0, 1):
        tables.part("claims", "8", index, 2, original="5")
    assert tables.reconcile("--published", "5") == 0
    assert (
        "published 5 = 4 claims + 1 error\nmessages with several claims: 1"
        in capsys.readouterr().out
    )


def test_document_of_a_message_that_its_replay_splits(tables: Tables, capsys):
    """Of 3 documents the last gives two claims, once its map can read it."""
    for index in (0, 1):
        tables.part("claims", "6", index, 3)
    tables.part("errors", "6", 2, 3)
    tables.replay("6", "7")
    tables.part("claims", "7", 2, 4, original="6")
    assert tables.reconcile("--published", "6") == 1  # the other claim has no row
    tables.part("claims", "7", 5, 4, original="6")
    capsys.readouterr()
    assert tables.reconcile("--published", "6") == 0
    assert capsys.readouterr().out == (
        "published 6 = 4 claims + 2 errors\n"
        "messages with several claims: 1 (4 claims, 0 errors)\n"
        "replays: 1 of 1 recorded replays have a row\n"
        "duplicates: none\n"
    )

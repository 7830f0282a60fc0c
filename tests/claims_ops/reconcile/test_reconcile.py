"""`claims reconcile` on the emulator: when the balance closes, and what it says when not."""

import gzip
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from claims_ops.reconcile import reconciliation
from claims_ops.reconcile.command import line_ids
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table, replays_table
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
            "errors_replays": replays_table(),
        }
        for name, table in kinds.items():
            TableSetup(client, create=True).ensure(TableName.parse(f"{dataset}.{name}"), table)

    def claims(self, *ids: str, at: str = DAY, original: str | None = None) -> None:
        self._add("claims", "processing_timestamp", ids, at, original, CLAIM)

    def errors(self, *ids: str, at: str = DAY, original: str | None = None) -> None:
        self._add("errors", "error_timestamp", ids, at, original, ERROR)

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


@pytest.mark.parametrize(
    "published, said", [("7", "missing: 2 messages"), ("4", "unexpected: 1 messages more")]
)
def test_it_does_not_close(published: str, said: str, tables: Tables, capsys):
    assert tables.reconcile("--published", published) == 1
    shown = capsys.readouterr()
    assert f"published {published} ≠ 3 claims + 2 errors" in shown.out
    assert said in shown.out
    assert shown.err == "claims: the balance does not close\n"


def test_duplicates_are_told_and_do_not_count(tables: Tables, capsys):
    tables.claims("1", "1", "2", "4")
    tables.errors("5")
    assert tables.reconcile("--published", "5") == 0
    assert capsys.readouterr().out.splitlines() == [
        "published 5 = 4 claims + 1 errors",
        "duplicates: 3 rows in claims, 1 rows in errors, 1 messages in both, 0 claims through"
        " replays",
    ]


def test_a_replayed_message_is_still_one_message(tables: Tables, capsys):
    tables.replay("4", "104")
    tables.claims("104", original="4")  # repaired
    tables.replay("5", "105")
    tables.errors("105", original="5")  # failed again
    assert tables.reconcile("--published", "5") == 0
    assert capsys.readouterr().out.splitlines() == [
        "published 5 = 4 claims + 1 errors",
        "replays: 2 of 2 have a row",
        "duplicates: none",
    ]


def test_a_replay_without_a_row_is_missing(tables: Tables, capsys):
    tables.replay("4", "104")
    assert tables.reconcile("--published", "5") == 1
    assert "replays: 0 of 1 have a row" in capsys.readouterr().out


def test_a_replay_that_is_not_on_record_is_told(tables: Tables, capsys):
    tables.replay("4", "104")
    tables.claims("104", original="4")
    tables.claims("204", original="4")
    assert tables.reconcile("--published", "5") == 0
    out = capsys.readouterr().out
    assert "replays: 1 of 1 have a row, 1 besides that are not on record" in out
    assert "1 claims through replays" in out


def test_a_range_of_time_takes_later_replays_along(tables: Tables, capsys):
    tables.claims("6", "7", at=NEXT_DAY)
    tables.errors("8", at=NEXT_DAY)
    tables.replay("4", "104")
    tables.claims("104", at=NEXT_DAY, original="4")
    assert tables.reconcile("--published", "5", "--until", "2026-11-24") == 0
    assert "published 5 = 4 claims + 1 errors" in capsys.readouterr().out
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
    assert "published 4 = 3 claims + 1 errors\nreplays: 1 of 1" in capsys.readouterr().out
    ids.write_text("1\nx\n4\ny\nz\n104\n")
    assert tables.reconcile("--message-ids", str(ids)) == 1
    assert capsys.readouterr().out.splitlines()[:5] == [
        "published 6 ≠ 2 claims + 0 errors",
        "missing: 4 messages without a row",
        "  x",
        "  y",
        "  ...",
    ]


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
    "cut": (gzip.compress(bytes(range(256)) * 99 + b"\n{}\n")[:-9], "Compressed file ended"),
    "another sum": (gzip.compress(b"{}\n{}\n")[:-8] + bytes(8), "CRC check failed"),
    "no gzip": (b"{}\n", "Not a gzipped file"),
}


@pytest.mark.parametrize("content, said", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named_with_the_place(content, said, tables, tmp_path: Path, capsys):
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(content)
    assert tables.reconcile("--input-files", str(path)) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(rf"claims: .*{re.escape(str(path))}.*\d: {said}.*\n", shown.err)


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        ([], 2, "Give one of"),
        (["--published", "1", "--input-files", "a"], 2, "Give one of"),
        (["--published", "-1"], 2, "--published"),
        (["--message-ids", "/no/such/file"], 2, "--message-ids"),
        (["--input-files", "/no/such/file"], 1, "no file matches /no/such/file"),
        (["--input-files", "/etc"], 1, "no file matches /etc"),
        (["--input-files", "{a,b}" * 20], 1, "its braces stand for more than"),
        (["--published", "1", "--error-table", "local-project.x.errors"], 1, "there is no table"),
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

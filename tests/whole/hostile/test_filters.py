"""Hostile texts as values of `claims replay` and `claims reconcile`: they are compared, not run.

What they must not do: break a query, or select a row that does not hold the very text.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from claims_ops.replay.selection import ErrorTable, Selection
from claims_ops.shared.queries import Queries
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery.table_setup import TableSetup
from tests.support import hostile_corpus as corpus

pytestmark = pytest.mark.usefixtures("emulated")

TEXTS = {text: name for name, text in corpus.texts().items()}
OF_ONE_LINE = {text: name for text, name in TEXTS.items() if not set(text) & set("\r\n")}
"""What can be a line of a file of message ids."""
ODD = [text for text in TEXTS if not re.fullmatch(r"[\w+-]+", text)]
"""What is no name and no date."""
NOW = "2026-11-23T12:00:00Z"


class Tables:
    """Both tables: a row that no text may select, and a row for each text that is its own id."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self.claims, self.errors = f"{dataset}.claims", f"{dataset}.errors"
        self.client = client
        setup = TableSetup(client, create=True)
        setup.ensure(TableName.parse(self.claims), claims_table(Contract.default()))
        setup.ensure(TableName.parse(self.errors), errors_table())
        self.add_error("innocent", "parse", "invalid_json")

    def add_error(self, message_id: str, stage: str, error_code: str) -> None:
        self._add(self.errors, [self._error(message_id, stage, error_code)])

    def add_errors(self, texts: Collection[str]) -> None:
        """A row for each text, which is everywhere in it where a filter looks."""
        self._add(self.errors, [self._error(text, text, text) for text in texts])

    def add_claims(self, message_ids: Collection[str]) -> None:
        claim = {"claim_id": "C", "patient_id": "P", "provider_id": "V", "claim_amount": "1"}
        row = {**claim, "processing_timestamp": NOW, "publish_time": NOW}
        self._add(self.claims, [{**row, "message_id": each} for each in message_ids])

    def _error(self, message_id: str, stage: str, error_code: str) -> dict[str, Any]:
        return {
            "message_id": message_id,
            "stage": stage,
            "error_code": error_code,
            "error": "e",
            "error_timestamp": NOW,
            "publish_time": NOW,
            "raw_message": "{",
            "raw_encoding": "identity",
            "raw_size": 1,
            "replay_count": 0,
        }

    def _add(self, table: str, rows: list[dict[str, Any]]) -> None:
        assert not self.client.insert_rows_json(table, rows)

    def selected(self, **asked: tuple[str, ...]) -> list[str]:
        """The ids of the messages that `claims replay` would publish."""
        errors = TableName.parse(self.errors)
        table = ErrorTable(Queries(self.client), errors, None, Selection(**asked))
        return sorted(str(row["message_id"]) for row in table.ready(None))


@pytest.fixture
def tables(bigquery_client: bigquery.Client, dataset: str) -> Tables:
    return Tables(bigquery_client, dataset)


FILTERS = {"stages": "--stage", "error_codes": "--error-code", "message_ids": "--message-id"}
RESEMBLING = {"stages": {"FALSE", "parse/* */", "parse\\", "par\u200bse", "\ufeffparse"}}
"""Texts so similar to `parse`, the stage of the message, that the command asks if it is meant."""


@pytest.mark.parametrize("name, option", FILTERS.items())
def test_replay_selects_nothing_by_them(name: str, option: str, tables: Tables, capsys):
    replay = ["replay", "--error-table", tables.errors, "--dry-run"]
    resembling = RESEMBLING.get(name, set())
    given = [f"{option}={text}" for text in TEXTS if text not in resembling]
    assert len(given) == len(TEXTS) - len(resembling)
    assert cli.main([*replay, *given]) == 1
    assert f"no message in {tables.errors} matches" in capsys.readouterr().err
    for text in resembling:
        assert cli.main([*replay, *given, f"{option}={text}"]) == 2
        expected = (
            f"claims: {option}: no message was rejected at stage {text!r}; did you mean parse?\n"
        )
        assert capsys.readouterr() == ("", expected)
    assert tables.selected(**{name: (*TEXTS, "parse", "invalid_json", "innocent")}) == ["innocent"]


@pytest.mark.parametrize("name", FILTERS)
def test_replay_selects_the_very_text(name: str, tables: Tables):
    tables.add_errors(TEXTS)
    some = tuple(TEXTS)[::3]
    assert tables.selected(**{name: some}) == sorted(some)
    assert len(tables.selected()) == len(TEXTS) + 1


def test_replay_shows_them_as_text(tables: Tables, capsys):
    """A stage or code of an error table that somebody else wrote is no markup of a terminal."""
    tables.add_errors(TEXTS)
    assert cli.main(["replay", "--error-table", tables.errors, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.endswith(f"would replay {len(TEXTS) + 1} messages\n")
    assert "[bold red]" in out
    assert r"\x1b[31mred" in out
    assert all(line.isprintable() for line in out.split("\n"))


def test_reconcile_compares_ids_as_they_are(tables: Tables, tmp_path: Path, capsys):
    ids = tmp_path / "ids"
    ids.write_text("\n".join(OF_ONE_LINE), encoding="utf-8")
    asked = ["--output-table", tables.claims, "--error-table", tables.errors]
    assert cli.main(["reconcile", *asked, "--message-ids", str(ids)]) == 1
    out = capsys.readouterr().out
    assert f"published {len(OF_ONE_LINE)} ≠ 0 claims + 0 errors" in out
    assert all(line.isprintable() for line in out.split("\n"))
    tables.add_claims(OF_ONE_LINE)
    assert cli.main(["reconcile", *asked, "--message-ids", str(ids)]) == 0
    out = capsys.readouterr().out
    assert f"published {len(OF_ONE_LINE)} = {len(OF_ONE_LINE)} claims + 0 errors" in out


@pytest.mark.parametrize(
    "command, option",
    [
        (["replay", "--dry-run"], "--error-table"),
        (["replay", "--dry-run", "--error-table=local-project.d.t"], "--since"),
        (["replay", "--yes", "--error-table=local-project.d.t"], "--topic"),
        (["reconcile", "--published=1", "--error-table=local-project.d.t"], "--output-table"),
        (["reconcile", "--published=1", "--output-table=local-project.d.t"], "--error-table"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_they_name_no_table_time_or_topic(command: list[str], option: str, capsys):
    for text in ODD:
        value = f"local-project.{text}.errors" if option.endswith("table") else text
        assert cli.main([*command, f"{option}={value}"]) == 2, TEXTS[text]
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.count("\n") == 1
        assert option in shown.err

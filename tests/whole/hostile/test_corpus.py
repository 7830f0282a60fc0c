"""Every entry of the hostile corpus through a whole backfill: one row each, as it is stated."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from claims_ops.reconcile.command import line_ids
from claims_ops.replay.message import COLUMNS, ROOM_BYTES, Replay, message_data, replay_of
from pipeline.claims.contract import Contract
from pipeline.claims.error_row import RAW_LIMIT
from pipeline.claims.formats.json_lines import MAX_LINE_BYTES
from pipeline.launch import options, prepare
from tests.support import hostile_corpus as corpus
from tests.support.hostile_corpus import ACCEPTED, Bomb, Entry, Outcome
from tests.support.privacy import job

ENTRIES, BOMBS = corpus.entries(), corpus.bombs()

Row = dict[str, Any]


def backfill(pattern: Path | str) -> dict[str, list[tuple[str, Row]]]:
    """Run the job that an operator would launch: message id -> table and row, as it was written."""
    written: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    # It refuses what the service would refuse: requests of more than 10 MB, for one.
    with job.server(Contract.default()) as server:
        given = PipelineOptions(
            [
                *("--runner=FnApiRunner", f"--input_files={pattern}"),
                f"--bigquery_storage_endpoint={server.address}",
                "--output_table=my-project:claims.claims",
                "--error_table=my-project:claims.errors",
            ]
        )
        asked = options.check(given)
        prepare.pipeline(asked, prepare.settings(asked), given).run().wait_until_finish()
        for table, stream in (("claims", job.CLAIMS), ("errors", job.ERRORS)):
            for row in server.tables[stream].rows:
                written[row["message_id"]].append((table, row))
    return written


def outcome_of(table: str, row: Row) -> Outcome:
    return ACCEPTED if table == "claims" else (row["stage"], row["error_code"])


def held(row: Row) -> Row:
    """The row with what is JSON in it, and its violations, in a form to compare."""
    found = dict(row)
    if "additional_fields" in row:
        found["additional_fields"] = json.loads(row["additional_fields"])
    if "violations" in row:
        found["violations"] = sorted((each["field"], each["rule"]) for each in row["violations"])
    return found


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, Row]]]:
    """The rows of each entry, by its id."""
    path = tmp_path_factory.mktemp("corpus") / "claims.ndjson"
    path.write_bytes(b"".join(entry.data + b"\n" for entry in ENTRIES))
    written = backfill(path)
    ids = list(line_ids(str(path)))
    assert written.keys() <= set(ids)
    return {entry.id: written[line] for entry, line in zip(ENTRIES, ids, strict=True)}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_entry(entry: Entry, rows: dict[str, list[tuple[str, Row]]]):
    [(table, row)] = rows[entry.id]
    assert outcome_of(table, row) == entry.outcome
    assert held(row).items() >= entry.columns.items()
    if table == "errors":
        assert_it_comes_back(entry.data, row)


def assert_it_comes_back(data: bytes, row: Row) -> None:
    """The row gives the message back, to `claims replay` too; or says that it cannot."""
    assert row["raw_size"] == len(data)
    read = {**dict.fromkeys(COLUMNS), "attributes": [], **row}
    replay = replay_of(read)
    if isinstance(replay, Replay):
        assert replay.data == data
    elif len(data) > MAX_LINE_BYTES:
        assert (replay, row["raw_bytes"]) == ("truncated", data[:RAW_LIMIT])
    else:  # a file may hold more than Pub/Sub takes
        assert (replay, message_data(read)) == ("too_large", data)
        assert len(data) > ROOM_BYTES - 1_000


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.id)
def test_bomb(bomb: Bomb, tmp_path: Path):
    path = bomb.write(tmp_path)
    assert path.stat().st_size < 1 << 20 or not bomb.suffix
    written = backfill(path)
    assert all(len(each) == 1 for each in written.values())
    found = [outcome_of(*each) for [each] in sorted(written.values(), key=place_of)]
    assert found == bomb.rows
    errors = [row for [(table, row)] in written.values() if table == "errors"]
    size = sum(len(part) * times for part, times in bomb.pieces)
    for row in errors:
        if row["error_code"] == "message_too_large":
            assert row["raw_encoding"] == "truncated"
            assert len(row["raw_bytes"]) == RAW_LIMIT
            assert MAX_LINE_BYTES < row["raw_size"] <= size


def place_of(written: list[tuple[str, Row]]) -> int:
    return int(written[0][1]["message_id"].rpartition(":")[2])


def test_every_file_of_the_corpus_is_read():
    assert {path.stem for path in corpus.ROOT.iterdir()} == set(corpus._SHAPES)


@pytest.mark.parametrize(
    "name, line",
    [
        ("json", '{"id": "a", "literal": "1", "kept": 1, "comment": "unread"}'),
        ("json", '{"id": "a", "literal": "1", "message": "1", "kept": 1}'),
        ("json", '{"id": "a", "literal": "1"}'),
        ("naughty", '{"id": "a", "kind": "b"}'),
        ("sizes", '{"id": "a", "field": "notes", "pieces": []}'),
        ("bombs", '{"id": "a", "packing": "gz", "pieces": []}'),
        ("injection", '{"id": "a", "kind": "b", "text": ""}\n{"id": "a", "kind": "b", "text": ""}'),
    ],
)
def test_unclear_case_is_refused(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / f"{name}.ndjson").write_text(line)
    monkeypatch.setattr(corpus, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=f"{name}.ndjson"):
        corpus.load(name)

"""Messages near Pub/Sub's limit of 10 MB and beyond: each is one row, and comes back or is marked.

They come in as lines of a file: Google's client takes no more than 4 MB at a time from the
emulator.
"""

import base64
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from claims_ops.reconcile.command import line_ids
from claims_ops.reconcile.reconciliation import Books
from claims_ops.shared.queries import Queries
from pipeline import main
from pipeline.claims.tables import TableName
from tests.conftest import Feed
from tests.support.claims.core import CLEAN
from tests.support.pulling import pull_all

SIZE = 9_900_000
NOISE = Random(1).randbytes(SIZE).replace(b"\n", b"\r")[:-1] + b"."
NOISE_AS_TEXT = base64.b64encode(NOISE)[: SIZE - 1_000].decode()

MESSAGES: dict[str, tuple[bytes, str, str | None]] = {
    "valid": (json.dumps({**CLEAN, "more": "x" * 9_000_000}).encode(), "claims", None),
    "valid, too large for a row": (
        json.dumps({**CLEAN, "more": []})[:-2].encode() + b"1e9," * (SIZE // 4 - 1_000) + b"1]}",
        "errors",
        "gzip",
    ),
    "invalid": (json.dumps({"more": "x" * (SIZE - 1_000)}).encode(), "errors", "gzip"),
    "text": (b"a claim " * (SIZE // 8), "errors", "gzip"),
    "spaces": (b" " * SIZE, "errors", "gzip"),
    "brackets": (b"[" * SIZE, "errors", "gzip"),
    "zeros": (b"\0" * SIZE, "errors", "gzip"),
    "noise that fits": (NOISE[: 6 << 20], "errors", "identity"),
    "noise": (NOISE, "errors", "truncated"),
    "valid, beyond the limit": (
        json.dumps(CLEAN).encode() + b" " * (3 * SIZE),
        "errors",
        "truncated",
    ),
    "noise beyond the limit": (NOISE * 2, "errors", "truncated"),
    "valid noise": (json.dumps({"more": NOISE_AS_TEXT}).encode(), "errors", "truncated"),
}
"""Name -> message, table, and encoding in the error table."""


@pytest.mark.usefixtures("emulated")
def test_large_messages(
    bigquery_client: bigquery.Client, dataset: str, feed: Feed, tmp_path: Path, capsys: Any
):
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join(data for data, _, _ in MESSAGES.values()))
    assert not any(b"\n" in data for data, _, _ in MESSAGES.values())
    tables = [f"--output_table={dataset}.claims", f"--error_table={dataset}.errors"]
    assert main.main(["--runner=FnApiRunner", f"--input_files={path}", *tables]) == 0

    ids = dict(zip(MESSAGES, line_ids(str(path)), strict=True))
    names = (TableName.parse(f"{dataset}.{table}") for table in ("claims", "errors"))
    outcome = Books(Queries(bigquery_client), *names).by_ids(ids.values())
    assert outcome.closes and not outcome.figures.duplicates
    columns = "message_id, stage, error_code, raw_encoding, raw_size"
    sql = f"SELECT {columns} FROM `{dataset}.errors`"
    found = {row.message_id: row for row in bigquery_client.query_and_wait(sql)}
    rejected = {name: each for name, each in MESSAGES.items() if each[1] == "errors"}
    assert {row.message_id: (row.raw_size, row.raw_encoding) for row in found.values()} == {
        ids[name]: (len(data), encoding) for name, (data, _, encoding) in rejected.items()
    }
    assert found[ids["valid, too large for a row"]].stage == "write"
    too_large = {row.message_id for row in found.values() if row.error_code == "message_too_large"}
    assert too_large == {ids[name] for name in MESSAGES if "beyond the limit" in name}

    arguments = ["--error-table", f"{dataset}.errors", "--topic", feed.topic, "--yes"]
    assert cli.main(["replay", *arguments]) == 0
    back = {
        each.attributes["original_message_id"]: each.data for each in pull_all(feed.subscription)
    }
    whole = {ids[name]: each[0] for name, each in rejected.items() if each[2] != "truncated"}
    assert back == whole
    assert f"replayed {len(whole)} of {len(whole)} messages" in capsys.readouterr().out

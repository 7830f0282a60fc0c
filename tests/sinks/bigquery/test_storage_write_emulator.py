"""The sink against bqemulator, a whole SQL server: what is written reads back equal."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from google.cloud import bigquery

from pipeline.claims.contract import Column
from pipeline.claims.message import Message
from pipeline.claims.tables import TableName
from pipeline.sinks.bigquery.storage_write import StorageWrite
from sandbox.emulators.emulators import BigqueryServer

RECORD = (
    Column("field", "STRING"),
    Column("weight", "FLOAT"),
    Column("on_day", "DATE"),
)
COLUMNS = (
    Column("id", "INTEGER", "REQUIRED"),
    Column("text", "STRING"),
    Column("raw", "BYTES"),
    Column("score", "FLOAT"),
    Column("amount", "NUMERIC"),
    Column("flag", "BOOLEAN"),
    Column("day", "DATE"),
    Column("at", "TIMESTAMP"),
    Column("extra", "JSON"),
    Column("codes", "STRING", "REPEATED"),
    Column("numbers", "INTEGER", "REPEATED"),
    Column("days", "DATE", "REPEATED"),
    Column("violations", "RECORD", "REPEATED", "", RECORD),
)
ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "text": 'é𝄞 \n"quoted"',
        "raw": b"\x00\xff",
        "score": 0.1,
        "amount": "99999999999999999999999999999.999999999",
        "flag": True,
        "day": "2026-02-28",
        "at": "2026-11-23T22:22:01.940165+00:00",
        "extra": '{"a": [1, null]}',
        "codes": ["E11.9", "I10"],
        "numbers": [-1, 2**40],
        "days": ["1969-12-31"],
        "violations": [
            {"field": "claim_id", "weight": 0.25, "on_day": "2026-01-01"},
            {"field": None, "weight": 1, "on_day": None},
        ],
    },
    {"id": 2, "codes": [], "violations": None},
    {
        "id": -(2**63),
        "text": "",
        "raw": b"",
        "score": -1e300,
        "amount": "-0.000000001",
        "flag": False,
        "day": "1969-07-20",
        "at": "1969-07-20T20:17:40.000001Z",
    },
    {"id": 2**63 - 1, "amount": 573.39, "at": "1900-01-01T00:00:00.5-05:00"},
]
READ: list[dict[str, Any]] = [
    {
        "id": 1,
        "text": 'é𝄞 \n"quoted"',
        "raw": b"\x00\xff",
        "score": 0.1,
        "amount": Decimal("99999999999999999999999999999.999999999"),
        "flag": True,
        "day": date(2026, 2, 28),
        "at": datetime(2026, 11, 23, 22, 22, 1, 940165, tzinfo=UTC),
        "extra": {"a": [1, None]},
        "codes": ["E11.9", "I10"],
        "numbers": [-1, 2**40],
        "days": [date(1969, 12, 31)],
        "violations": [
            {"field": "claim_id", "weight": 0.25, "on_day": date(2026, 1, 1)},
            {"field": None, "weight": 1.0, "on_day": None},
        ],
    },
    {"id": 2},
    {
        "id": -(2**63),
        "text": "",
        "raw": b"",
        "score": -1e300,
        "amount": Decimal("-0.000000001"),
        "flag": False,
        "day": date(1969, 7, 20),
        "at": datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=UTC),
    },
    {
        "id": 2**63 - 1,
        "amount": Decimal("573.39"),
        "at": datetime(1900, 1, 1, 5, 0, 0, 500_000, tzinfo=UTC),
    },
]


def field_of(column: Column) -> bigquery.SchemaField:
    fields = [field_of(nested) for nested in column.fields]
    return bigquery.SchemaField(column.name, column.type, column.mode, fields=fields)


@pytest.mark.parametrize("bundles", [1, 3])
def test_rows_read_back_equal(
    bigquery_server: BigqueryServer, bigquery_client: bigquery.Client, dataset: str, bundles: int
) -> None:
    name = f"{dataset}.rows"
    bigquery_client.create_table(bigquery.Table(name, [field_of(column) for column in COLUMNS]))
    sink = StorageWrite(TableName.parse(name), COLUMNS, endpoint=bigquery_server.storage_address)
    for _ in range(bundles):
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            pipeline | beam.Create([(Message(b""), row) for row in ROWS]) | "Write" >> sink

    found = [dict(row) for row in bigquery_client.query(f"SELECT * FROM `{name}`").result()]
    blank = {column.name: [] if column.mode == "REPEATED" else None for column in COLUMNS}
    wanted = [blank | row for row in READ] * bundles
    assert sorted(found, key=lambda row: row["id"]) == sorted(wanted, key=lambda row: row["id"])

"""Tables at launch, on the BigQuery emulator: created, evolved, or refused with the reason."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField

from pipeline import clients
from pipeline.claims.contract import Column, Contract
from pipeline.claims.tables import (
    CLAIM_OUTCOME,
    Table,
    TableName,
    claims_table,
    errors_table,
)
from pipeline.sinks.bigquery.table_fit import TableError, fit_of
from pipeline.sinks.bigquery.table_setup import TableSetup
from sandbox.emulators.emulators import PROJECT, BigqueryServer

FIELDS_OF_CONTRACT_1 = (
    *("claim_id", "patient_id", "provider_id", "billing_npi", "claim_amount", "diagnosis_codes"),
    *("procedure_codes", "service_date", "submission_date", "claim_status", "provider_region"),
    *("patient_age", "patient_gender", "place_of_service", "notes", "ingest_ts"),
    "synthetic_label_is_fraud",
)
DAY_MS = 24 * 60 * 60 * 1000
SMALL = Table(
    (
        Column("id", "STRING", "REQUIRED", "Identifier."),
        Column("at", "TIMESTAMP", "REQUIRED", "When."),
        Column("codes", "STRING", "REPEATED", "Codes."),
        Column("parts", "RECORD", "REPEATED", "Parts.", (Column("key", "STRING"),)),
    ),
    "at",
    ("id",),
    "A small table.",
)
ID, AT = SchemaField("id", "STRING", "REQUIRED"), SchemaField("at", "TIMESTAMP", "REQUIRED")
CODES = SchemaField("codes", "STRING", "REPEATED")
PARTS = SchemaField("parts", "RECORD", "REPEATED", fields=[SchemaField("key", "STRING")])


@pytest.fixture
def client(
    bigquery_server: BigqueryServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bigquery.Client]:
    """The client of a launch on the emulator."""
    for name, value in bigquery_server.environment.items():
        monkeypatch.setenv(name, value)
    with clients.bigquery_client(PROJECT) as client:
        yield client


@pytest.fixture
def setup(client: bigquery.Client) -> TableSetup:
    """Creates and extends, in datasets that exist."""
    return TableSetup(client, create=True)


@pytest.fixture
def name(dataset: str) -> TableName:
    """A table that does not exist, in a dataset that does."""
    return TableName.parse(f"{dataset}.small")


def with_column(*columns: Column) -> Table:
    return replace(SMALL, columns=(*SMALL.columns, *columns))


def insert(client: bigquery.Client, name: TableName, *rows: dict[str, object]) -> None:
    assert client.insert_rows_json(str(name), rows, retry=None) == []


def rows_of(client: bigquery.Client, name: TableName) -> list[dict[str, object]]:
    found = client.query_and_wait(f"SELECT * FROM `{name}` ORDER BY id", wait_timeout=20)
    return [dict(row) for row in found]


def existing(client: bigquery.Client, name: TableName, *fields: SchemaField) -> None:
    wanted = bigquery.Table(str(name), fields)
    if any(field.name == "at" for field in fields):
        wanted.time_partitioning = bigquery.TimePartitioning(field="at")
    client.create_table(wanted)


@pytest.mark.parametrize(
    "table", [claims_table(Contract.default()), errors_table()], ids=["claims", "errors"]
)
def test_missing_table_is_created_as_declared(client, setup, name, table: Table):
    assert setup.ensure(name, table, retention_days=90) == "created"
    found = client.get_table(str(name))
    assert found.time_partitioning.type_ == "DAY"
    assert found.time_partitioning.field == table.partition_column
    assert found.time_partitioning.expiration_ms == 90 * DAY_MS
    assert found.clustering_fields == list(table.clustering)
    assert found.description == table.description
    assert [(field.name, field.field_type, field.mode) for field in found.schema] == [
        (column.name, column.type, column.mode) for column in table.columns
    ]
    assert [field.description for field in found.schema] == [
        column.description for column in table.columns
    ]
    inner = {field.name: [part.name for part in field.fields] for field in found.schema}
    assert inner == {column.name: [part.name for part in column.fields] for column in table.columns}


@pytest.mark.parametrize(
    "table", [claims_table(Contract.default()), errors_table()], ids=["claims", "errors"]
)
def test_second_launch_changes_nothing(client, setup, name, table: Table):
    setup.ensure(name, table)
    before = client.get_table(str(name))
    assert setup.ensure(name, table) == "unchanged"
    assert client.get_table(str(name)).to_api_repr() == before.to_api_repr()


def test_table_that_another_launch_created_meanwhile_is_taken(client, setup, name, monkeypatch):
    setup.ensure(name, SMALL)
    get_table, answers = client.get_table, [NotFound("not yet")]

    def late(*args, **kwargs):
        if answers:
            raise answers.pop()
        return get_table(*args, **kwargs)

    monkeypatch.setattr(client, "get_table", late)
    assert setup.ensure(name, SMALL) == "created"


@pytest.mark.parametrize(
    "column, value",
    [
        (Column("note", "STRING"), "new"),
        (Column("score", "FLOAT"), 0.5),
        (Column("flag", "BOOLEAN"), True),
        (Column("count", "INTEGER"), 7),
        (Column("tags", "STRING", "REPEATED"), ["a", "b"]),
    ],
    ids=lambda part: part.name if isinstance(part, Column) else "",
)
def test_new_column_is_added_and_takes_values(client, setup, name, column: Column, value: object):
    setup.ensure(name, SMALL)
    insert(client, name, {"id": "1", "at": "2026-01-01T00:00:00Z"})
    assert setup.ensure(name, with_column(column)) == f"added {column.name}"
    insert(client, name, {"id": "2", "at": "2026-01-02T00:00:00Z", column.name: value})
    before, after = rows_of(client, name)
    # bqemulator answers NULL for an array that older rows lack; the real service, an empty one.
    assert before[column.name] in (None, [])
    assert after[column.name] == value
    found = client.get_table(str(name))
    assert found.clustering_fields == ["id"]
    assert found.time_partitioning.field == "at"
    assert setup.ensure(name, with_column(column)) == "unchanged"


def test_required_column_is_added_as_nullable(client, setup, name):
    setup.ensure(name, SMALL)
    assert setup.ensure(name, with_column(Column("payer", "STRING", "REQUIRED"))) == "added payer"
    assert client.get_table(str(name)).schema[-1].mode == "NULLABLE"


def test_nested_field_is_added(client, setup, name):
    setup.ensure(name, SMALL)
    insert(client, name, {"id": "a", "at": "2026-11-01T00:00:00Z", "parts": [{"key": "k"}]})
    parts = replace(SMALL.columns[3], fields=(Column("key", "STRING"), Column("value", "STRING")))
    wider = replace(SMALL, columns=(*SMALL.columns[:3], parts))
    assert setup.ensure(name, wider) == "added parts.value"
    found = client.get_table(str(name)).schema[3]
    assert [(part.name, part.mode) for part in found.fields] == [
        ("key", "NULLABLE"),
        ("value", "NULLABLE"),
    ]
    later = {"id": "b", "at": "2026-11-01T00:00:00Z", "parts": [{"key": "k", "value": "v"}]}
    insert(client, name, later)
    old, new = (row["parts"] for row in rows_of(client, name))
    assert (old, new) == ([{"key": "k", "value": None}], [{"key": "k", "value": "v"}])
    assert setup.ensure(name, wider) == "unchanged"


def test_a_table_of_contract_1_is_extended_and_its_rows_read_well(client, setup, name):
    after = claims_table(Contract.default())
    outcome = tuple(column.name for column in CLAIM_OUTCOME)
    columns = tuple(c for c in after.columns if c.name in (*FIELDS_OF_CONTRACT_1, *outcome))
    before = replace(after, columns=columns)
    setup.ensure(name, before)
    row = {"claim_id": "A", "patient_id": "P", "provider_id": "V", "claim_amount": "1.50"}
    row |= {"claim_status": "PAID", "diagnosis_codes": ["I10"]}
    insert(client, name, row | {"processing_timestamp": "2026-11-01T00:00:00Z"})
    added = setup.ensure(name, after).removeprefix("added ").split(", ")
    assert set(added) == set(Contract.default().properties) - set(FIELDS_OF_CONTRACT_1)
    lines = [{"line_number": 1, "units": "2", "modifiers": ["25"], "charge_amount": "1.50"}]
    new = {"claim_id": "B", "service_lines": lines, "processing_timestamp": "2026-11-02T00:00:00Z"}
    insert(client, name, row | new)
    setup.make_views(name, after)
    query = f"SELECT * FROM `{name}_current` ORDER BY claim_id"
    old, other = (dict(found) for found in client.query_and_wait(query))
    assert (old["claim_amount"], old["diagnosis_codes"]) == (Decimal("1.5"), ["I10"])
    assert (old["service_lines"], old["claim_type"], old["paid_amount"]) == ([], None, None)
    assert other["service_lines"][0]["units"] == 2
    assert setup.ensure(name, after) == "unchanged"


def test_views_need_their_columns(setup, name):
    setup.ensure(name, SMALL)
    with pytest.raises(
        TableError, match="the views need columns .*original_claim_id.*, which the table lacks"
    ):
        setup.make_views(name, SMALL)


def test_columns_of_others_are_kept(client, setup, name):
    existing(client, name, SchemaField("theirs", "STRING"), ID, AT)
    assert setup.ensure(name, SMALL) == "added codes, parts"
    names = [field.name for field in client.get_table(str(name)).schema]
    assert names == ["theirs", "id", "at", "codes", "parts"]


def test_names_of_columns_ignore_case(client, setup, name):
    existing(client, name, SchemaField("ID", "STRING"), AT, CODES, PARTS)
    assert setup.ensure(name, SMALL) == "unchanged"


@pytest.mark.parametrize("days, expected", [(30, 30), (None, 90), (0, None)])
def test_retention_of_an_existing_table(
    client, setup, name, days: int | None, expected: int | None
):
    setup.ensure(name, SMALL, retention_days=90)
    setup.ensure(name, SMALL, retention_days=days)
    found = client.get_table(str(name)).time_partitioning.expiration_ms or None
    assert found == (expected * DAY_MS if expected else None)


def test_unpartitioned_table_is_taken_with_a_warning(client, setup, name, caplog):
    client.create_table(bigquery.Table(str(name), [ID, AT, CODES, PARTS]))
    assert setup.ensure(name, SMALL, retention_days=30) == "unchanged"
    assert "not partitioned by at" in caplog.text


@pytest.mark.parametrize(
    "fields, reason",
    [
        ([SchemaField("id", "INTEGER"), AT], "the column id is INTEGER, not STRING"),
        ([SchemaField("id", "STRING", "REPEATED"), AT], "the column id is REPEATED, not REQUIRED"),
        ([ID, AT, SchemaField("codes", "STRING")], "the column codes is NULLABLE, not REPEATED"),
        (
            [ID, AT, SchemaField("theirs", "STRING", "REQUIRED")],
            "the column theirs is REQUIRED, but the pipeline never populates it",
        ),
        (
            [
                ID,
                AT,
                SchemaField("parts", "RECORD", "REPEATED", fields=[SchemaField("key", "INTEGER")]),
            ],
            "parts: the column key is INTEGER, not STRING",
        ),
        (
            [
                ID,
                AT,
                SchemaField(
                    "parts", "RECORD", "REPEATED", fields=[SchemaField("key", "STRING", "REQUIRED")]
                ),
            ],
            "parts: the column key is REQUIRED, but some rows have no value for it",
        ),
    ],
    ids=["type", "repeated", "single", "required", "nested-type", "nested-required"],
)
def test_table_that_cannot_take_the_rows_is_refused(client, setup, name, fields, reason: str):
    existing(client, name, *fields)
    with pytest.raises(TableError, match=f"{name}: {reason}$"):
        setup.ensure(name, SMALL)
    assert [field.name for field in client.get_table(str(name)).schema] == [
        field.name for field in fields
    ]


def table_of(*fields: SchemaField, **given: object) -> bigquery.Table:
    """A table as BigQuery describes it; bqemulator keeps no parameters of types."""
    table = bigquery.Table(f"{PROJECT}.claims.small", fields)
    table.time_partitioning = bigquery.TimePartitioning(field="at")
    for key, value in given.items():
        setattr(table, key, value)
    return table


MONEY = replace(SMALL, columns=(*SMALL.columns, Column("paid", "NUMERIC"), Column("k", "BYTES")))
PARAMETERISED = {
    "text": ([SchemaField("id", "STRING", "REQUIRED", max_length=10), AT], "id is STRING\\(10\\)"),
    "bytes": ([ID, AT, SchemaField("k", "BYTES", max_length=16)], "k is BYTES\\(16\\)"),
    "money": (
        [ID, AT, SchemaField("paid", "NUMERIC", precision=10, scale=2)],
        "NUMERIC\\(10, 2\\)",
    ),
    "whole": ([ID, AT, SchemaField("paid", "NUMERIC", precision=10)], "NUMERIC\\(10, 0\\)"),
    "nested": (
        [
            ID,
            AT,
            SchemaField(
                "parts",
                "RECORD",
                "REPEATED",
                fields=[SchemaField("key", "STRING", max_length=5)],
            ),
        ],
        "parts: the column key is STRING\\(5\\)",
    ),
}


@pytest.mark.parametrize("fields, reason", PARAMETERISED.values(), ids=PARAMETERISED)
def test_column_that_holds_less_than_its_type_is_refused(fields: list[SchemaField], reason: str):
    name = TableName(PROJECT, "claims", "small")
    with pytest.raises(TableError, match=rf"{reason}, which rounds .* SET DATA TYPE [A-Z]+$"):
        fit_of(table_of(*fields), name, MONEY)


def test_column_with_the_parameters_of_its_whole_type_is_taken():
    name = TableName(PROJECT, "claims", "small")
    theirs = SchemaField("theirs", "STRING", max_length=5)
    paid = SchemaField("paid", "NUMERIC", precision=38, scale=9)
    fit = fit_of(table_of(ID, AT, CODES, PARTS, paid, theirs), name, MONEY)
    assert fit.lacks == ("k",)


def test_table_that_wants_a_filter_is_taken_with_a_warning(setup, name, monkeypatch, caplog):
    found = table_of(ID, AT, CODES, PARTS, require_partition_filter=True)
    monkeypatch.setattr(setup, "_get", lambda name: found)
    assert setup.ensure(name, SMALL) == "unchanged"
    assert "rejects queries without a filter on at" in caplog.text


def test_view_is_refused(client, setup, name):
    view = bigquery.Table(str(name))
    view.view_query = "SELECT 'a' AS id"
    client.create_table(view)
    with pytest.raises(TableError, match=r"is not a standard table \(its type is VIEW\)"):
        setup.ensure(name, SMALL)


def test_missing_dataset_is_refused_with_the_remedy(client, setup):
    name = TableName(PROJECT, "nowhere", "small")
    with pytest.raises(TableError, match=f"bq mk --dataset {PROJECT}:nowhere.*dataset_location"):
        setup.ensure(name, SMALL)


def test_missing_dataset_is_created_in_its_location(client, dataset: str):
    name = TableName(PROJECT, f"{dataset.split('.')[1]}_new", "small")
    setup = TableSetup(client, create=True, dataset_location="europe-west3")
    assert setup.ensure(name, SMALL) == "created"
    assert client.get_dataset(f"{PROJECT}.{name.dataset}").location == "europe-west3"


def test_kms_key_protects_a_new_table(client, name, monkeypatch):
    # bqemulator does not keep the key: what is asked of BigQuery is looked at instead.
    asked = []
    monkeypatch.setattr(client, "create_table", lambda table, **_: asked.append(table))
    TableSetup(client, create=True, kms_key="projects/p/keys/k").ensure(name, SMALL)
    assert asked[0].encryption_configuration.kms_key_name == "projects/p/keys/k"


def test_nothing_is_created_when_told_so(client, name):
    with pytest.raises(TableError, match="does not exist, and create_tables is false"):
        TableSetup(client, create=False).ensure(name, SMALL)
    assert list(client.list_tables(f"{name.project}.{name.dataset}")) == []


def test_nothing_is_added_when_told_so(client, setup, name):
    setup.ensure(name, SMALL)
    wider = with_column(Column("note", "STRING"))
    with pytest.raises(TableError, match="is missing column note, and create_tables is false"):
        TableSetup(client, create=False).ensure(name, wider)
    assert TableSetup(client, create=False).ensure(name, SMALL) == "unchanged"

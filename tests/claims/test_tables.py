"""The two tables as they are declared, and their names."""

import pytest
from google.cloud import bigquery

from pipeline.claims.contract import Column, Contract
from pipeline.claims.tables import CLAIM_OUTCOME, TableName, claims_table, errors_table

TABLES = {"claims": claims_table(Contract.default()), "errors": errors_table()}


@pytest.mark.parametrize(
    "text, name",
    [
        ("my-project:claims.errors", ("my-project", "claims", "errors")),
        ("my-project.claims.errors", ("my-project", "claims", "errors")),
        ("example.com:my-project:claims.errors", ("example.com:my-project", "claims", "errors")),
        ("example.com:my-project.claims.errors", ("example.com:my-project", "claims", "errors")),
    ],
)
def test_both_notations_are_one_name(text: str, name: tuple[str, str, str]):
    assert TableName.parse(text) == name
    assert str(TableName.parse(text)) == ".".join(name)
    assert TableName.parse(str(TableName.parse(text))) == name


@pytest.mark.parametrize(
    "text",
    ["", "errors", "claims.errors", "my-project:claims", "my-project:claims.errors.more", "a:b.c"],
)
def test_other_text_is_no_name(text: str):
    with pytest.raises(ValueError, match="expected project:dataset.table"):
        TableName.parse(text)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table_is_consistent(table):
    columns = {column.name: column for column in table.columns}
    assert len(columns) == len(table.columns)
    assert columns[table.partition_column].type == "TIMESTAMP"
    assert columns[table.partition_column].mode == "REQUIRED"
    assert len(table.clustering) <= 4  # what BigQuery allows
    for name in table.clustering:
        assert columns[name].type in ("STRING", "BOOLEAN") and columns[name].mode != "REPEATED"


def every(columns: tuple[Column, ...]) -> list[Column]:
    return [each for column in columns for each in (column, *every(column.fields))]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_is_one_of_bigquery_and_described(table):
    for column in every(table.columns):
        assert column.description
        assert column.type in bigquery.enums.SqlTypeNames.__members__ or column.type == "JSON"
        assert column.mode in ("NULLABLE", "REQUIRED", "REPEATED")
        assert bool(column.fields) == (column.type == "RECORD")


def test_claims_table_is_the_contract_and_the_outcome():
    contract = Contract.default()
    assert TABLES["claims"].columns == (*contract.columns, *CLAIM_OUTCOME)

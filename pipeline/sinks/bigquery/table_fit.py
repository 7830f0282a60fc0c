"""How a table that exists fits the rows: what it lacks, and what it cannot take."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from google.cloud import bigquery

from pipeline.claims.contract import Column
from pipeline.claims.tables import Table, TableName

DAY_MS = 24 * 60 * 60 * 1000
ALIASES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
"""Types whose names differ between standard SQL and the table API."""


class TableError(Exception):
    """A table cannot take the rows, and why."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A table compared with what it should be."""

    table: bigquery.Table
    """As it was found."""
    schema: list[bigquery.SchemaField]
    """Its fields, followed by those that it lacks."""
    lacks: tuple[str, ...]
    """Names of these; `outer.inner` within a record."""
    is_partitioned: bool
    """Whether by the column that it should be."""

    def keeps(self, retention_days: int | None) -> bool:
        """Whether it keeps its partitions for so many days, 0 meaning forever; true for None."""
        if retention_days is None or not self.is_partitioned:
            return True
        expiration_ms = retention_days * DAY_MS if retention_days else None
        return bool(self.table.time_partitioning.expiration_ms == expiration_ms)


def fit_of(found: bigquery.Table, name: TableName, table: Table) -> Fit:
    """How a table fits.

    Raises:
        TableError: it is no table, or a column has a type, parameters or a mode that cannot take
            our values.
    """
    if found.table_type not in (None, "TABLE"):
        raise TableError(f"{name} is not a standard table (its type is {found.table_type})")
    schema, lacks = _merged(found.schema, table.columns, str(name))
    by = found.time_partitioning
    return Fit(found, schema, tuple(lacks), by is not None and by.field == table.partition_column)


def field_of(column: Column) -> bigquery.SchemaField:
    return bigquery.SchemaField(
        column.name,
        column.type,
        column.mode,
        description=column.description,
        fields=[field_of(inner) for inner in column.fields],
    )


def _merged(
    found: Iterable[bigquery.SchemaField], columns: Iterable[Column], place: str
) -> tuple[list[bigquery.SchemaField], list[str]]:
    """The found fields followed by the missing ones, and the names of these."""
    fields = {field.name.lower(): field for field in found}
    wanted = {column.name.lower(): column for column in columns}
    merged, added = [], []
    for key, field in fields.items():
        column = wanted.get(key)
        if column is None:
            if field.mode == "REQUIRED":
                raise TableError(
                    f"{place}: the column {field.name} is REQUIRED, but the pipeline never fills it"
                )
            merged.append(field)
            continue
        _check_field(field, column, place)
        inner, inner_added = _merged(field.fields, column.fields, f"{place}: {field.name}")
        if inner_added:
            resource = field.to_api_repr() | {"fields": [part.to_api_repr() for part in inner]}
            field = bigquery.SchemaField.from_api_repr(resource)
            added += [f"{field.name}.{name}" for name in inner_added]
        merged.append(field)
    for key, column in wanted.items():
        if key not in fields:
            # A table that has rows cannot get a REQUIRED column.
            nullable = replace(column, mode="NULLABLE") if column.mode == "REQUIRED" else column
            merged.append(field_of(nullable))
            added.append(column.name)
    return merged, added


def _check_field(field: bigquery.SchemaField, column: Column, place: str) -> None:
    found_type = ALIASES.get(field.field_type, field.field_type)
    if found_type != column.type:
        raise TableError(f"{place}: the column {field.name} is {found_type}, not {column.type}")
    if parameters := _narrowing(field):
        raise TableError(
            f"{place}: the column {field.name} is {found_type}({parameters}), which rounds or"
            f" refuses some values; run ALTER COLUMN {field.name} SET DATA TYPE {found_type}"
        )
    if (field.mode == "REPEATED") != (column.mode == "REPEATED"):
        raise TableError(f"{place}: the column {field.name} is {field.mode}, not {column.mode}")
    if field.mode == "REQUIRED" and column.mode != "REQUIRED":
        raise TableError(
            f"{place}: the column {field.name} is REQUIRED, but some rows have no value for it"
        )


def _narrowing(field: bigquery.SchemaField) -> str:
    """The parameters by which a column holds less than its type; empty for none."""
    if field.max_length is not None:
        return str(field.max_length)
    if field.precision is None:
        return ""
    scale = field.scale or 0
    if (field.precision, scale) == (38, 9):  # all that a NUMERIC holds
        return ""
    return f"{field.precision}, {scale}"

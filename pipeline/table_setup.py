"""The tables at launch: create a missing one, add new columns, refuse one that cannot serve."""

import logging
from collections.abc import Iterable
from dataclasses import replace

import requests
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from pipeline import emulation
from pipeline.claims.contract import Column
from pipeline.tables import Table, TableName

_TIMEOUT_SECONDS = 30
_RETRY = DEFAULT_RETRY.with_timeout(5)  # a launch fails in seconds
_DAY_MS = 24 * 60 * 60 * 1000
# Standard SQL spells these types otherwise than the table API.
_ALIASES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
_SQL_TYPES = {legacy: standard for standard, legacy in _ALIASES.items()}

_log = logging.getLogger(__name__)


class TableError(Exception):
    """A table that cannot take the rows, and why."""


class TableSetup:
    """Makes sure that tables can take our rows."""

    def __init__(
        self,
        client: bigquery.Client,
        *,
        create: bool,
        dataset_location: str | None = None,
        kms_key: str | None = None,
    ) -> None:
        """`dataset_location` creates a missing dataset there; None refuses to."""
        self._client = client
        self._create = create
        self._dataset_location = dataset_location
        self._kms_key = kms_key

    def ensure(self, name: TableName, table: Table, retention_days: int | None = None) -> str:
        """Create the table, or add the columns that it lacks, and say which was done.

        `retention_days` is the partition expiry, 0 for none; None leaves it as it is.

        Raises:
            TableError: the table or its dataset is missing and may not be created, or a column
                has a type or mode that cannot take our values, or BigQuery refuses.
        """
        try:
            try:
                found = self._client.get_table(str(name), retry=_RETRY, timeout=_TIMEOUT_SECONDS)
            except NotFound:
                return self._create_table(name, table, retention_days)
            return self._evolve(found, name, table, retention_days)
        except GoogleAPICallError as error:
            raise TableError(f"{name}: BigQuery answers {error.code}: {error.message}") from None
        except (GoogleAuthError, RetryError, requests.RequestException) as error:
            raise TableError(f"{name}: BigQuery cannot be reached: {error}") from None

    def _create_table(self, name: TableName, table: Table, retention_days: int | None) -> str:
        if not self._create:
            raise TableError(f"{name} does not exist, and create_tables is false")
        self._ensure_dataset(name)
        wanted = bigquery.Table(str(name), [_field(column) for column in table.columns])
        wanted.description = table.description
        wanted.clustering_fields = list(table.clustering)
        wanted.time_partitioning = bigquery.TimePartitioning(
            field=table.partition_column,
            expiration_ms=retention_days * _DAY_MS if retention_days else None,
        )
        if self._kms_key:
            wanted.encryption_configuration = bigquery.EncryptionConfiguration(self._kms_key)
        # Another launch may have created it meanwhile.
        self._client.create_table(wanted, exists_ok=True, timeout=_TIMEOUT_SECONDS)
        return "created"

    def _ensure_dataset(self, name: TableName) -> None:
        dataset = bigquery.DatasetReference(name.project, name.dataset)
        try:
            self._client.get_dataset(dataset, retry=_RETRY, timeout=_TIMEOUT_SECONDS)
        except NotFound:
            if not self._dataset_location:
                raise TableError(
                    f"the dataset {name.project}.{name.dataset} does not exist: create it with"
                    f" `bq mk --dataset {name.project}:{name.dataset}`, or set dataset_location"
                ) from None
            wanted = bigquery.Dataset(dataset)
            wanted.location = self._dataset_location
            self._client.create_dataset(wanted, exists_ok=True, timeout=_TIMEOUT_SECONDS)

    def _evolve(
        self, found: bigquery.Table, name: TableName, table: Table, retention_days: int | None
    ) -> str:
        if found.table_type not in (None, "TABLE"):
            raise TableError(f"{name} is a {found.table_type}, not a table")
        schema, added = _merged(found.schema, table.columns, str(name))
        changed = []
        if added:
            if not self._create:
                raise TableError(f"{name} lacks {', '.join(added)}, and create_tables is false")
            found.schema = schema
            changed.append("schema")
        partitioning = found.time_partitioning
        expiration_ms = retention_days * _DAY_MS if retention_days else None
        if partitioning is None or partitioning.field != table.partition_column:
            _log.warning("%s is not partitioned by %s", name, table.partition_column)
        elif (
            self._create
            and retention_days is not None
            and partitioning.expiration_ms != expiration_ms
        ):
            partitioning.expiration_ms = expiration_ms
            found.time_partitioning = partitioning
            changed.append("time_partitioning")
        if not changed:
            return "unchanged"
        self._client.update_table(found, changed, retry=_RETRY, timeout=_TIMEOUT_SECONDS)
        if emulation.is_emulated():
            self._add_to_emulator_storage(name, table, added)
        return f"added {', '.join(added)}" if added else f"set retention to {retention_days} days"

    def _add_to_emulator_storage(self, name: TableName, table: Table, added: list[str]) -> None:
        # bqemulator's update changes its catalogue only, its DDL the storage only.
        for column in table.columns:
            if column.name in added:
                sql_type = _SQL_TYPES.get(column.type, column.type)
                sql_type = f"ARRAY<{sql_type}>" if column.mode == "REPEATED" else sql_type
                self._client.query_and_wait(
                    f"ALTER TABLE `{name}` ADD COLUMN IF NOT EXISTS {column.name} {sql_type}"
                )


def _field(column: Column) -> bigquery.SchemaField:
    return bigquery.SchemaField(
        column.name,
        column.type,
        column.mode,
        description=column.description,
        fields=[_field(inner) for inner in column.fields],
    )


def _merged(
    found: Iterable[bigquery.SchemaField], columns: Iterable[Column], place: str
) -> tuple[list[bigquery.SchemaField], list[str]]:
    """The found fields followed by the missing ones, and the names of these.

    Raises:
        TableError: a found field cannot take our values.
    """
    fields = {field.name.lower(): field for field in found}
    wanted = {column.name.lower(): column for column in columns}
    merged, added = [], []
    for key, field in fields.items():
        column = wanted.get(key)
        if column is None:
            if field.mode == "REQUIRED":
                raise TableError(f"{place}: the column {field.name} is REQUIRED and never filled")
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
            merged.append(_field(nullable))
            added.append(column.name)
    return merged, added


def _check_field(field: bigquery.SchemaField, column: Column, place: str) -> None:
    found_type = _ALIASES.get(field.field_type, field.field_type)
    if found_type != column.type:
        raise TableError(f"{place}: the column {field.name} is {found_type}, not {column.type}")
    if (field.mode == "REPEATED") != (column.mode == "REPEATED"):
        raise TableError(f"{place}: the column {field.name} is {field.mode}, not {column.mode}")
    if field.mode == "REQUIRED" and column.mode != "REQUIRED":
        raise TableError(f"{place}: the column {field.name} is REQUIRED and may get no value")

"""The tables at launch: create a missing one, add new columns, refuse one that cannot serve."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass

import requests
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from pipeline import clients
from pipeline.claims.tables import Table, TableName, column_list
from pipeline.sinks.bigquery import views
from pipeline.sinks.bigquery.table_fit import DAY_MS, Fit, TableError, field_of, fit_of

_RETRY = DEFAULT_RETRY.with_timeout(5)  # a launch fails in seconds

_log = logging.getLogger(__name__)


class NoAnswer(TableError):
    """The state of a table is unknown: BigQuery refuses access, or cannot be reached."""


@dataclass
class TableSetup:
    """Makes sure that tables can take our rows."""

    client: bigquery.Client
    _: KW_ONLY
    create: bool
    dataset_location: str | None = None
    """Where a missing dataset is created; None: a missing dataset is an error."""
    kms_key: str | None = None
    timeout_seconds: float = 30
    """For one call."""

    def ensure(self, name: TableName, table: Table, retention_days: int | None = None) -> str:
        """Create the table, or add the columns that it lacks, and say which was done.

        `retention_days` is the partition expiry, 0 for none; None leaves it as it is.

        Raises:
            TableError: the table or its dataset is missing and may not be created, or a column
                has a type or mode that cannot take our values, or BigQuery refuses.
        """
        with _answers(name):
            found = self._get(name)
            if found is None:
                return self._create_table(name, table, retention_days)
            return self._evolve(fit_of(found, name, table), name, table, retention_days)

    def make_views(self, claims: TableName, table: Table) -> list[str]:
        """Create or replace the views of a claims table; returns their names.

        Raises:
            TableError: the table lacks columns that the views read, or BigQuery refuses.
        """
        lacking = views.lacking(table.columns)
        if lacking:
            raise TableError(
                f"{claims}: the views need {column_list(lacking)}, which the table lacks"
            )
        statements = views.statements(claims)
        with _answers(claims):
            for statement in statements.values():
                self.client.query_and_wait(statement, wait_timeout=self.timeout_seconds)
        return list(statements)

    def look(self, name: TableName, table: Table) -> Fit | None:
        """How the table fits, without any change to it; None if it does not exist.

        Raises:
            TableError: it cannot take the rows.
            NoAnswer: BigQuery does not answer.
        """
        with _answers(name):
            found = self._get(name)
            return None if found is None else fit_of(found, name, table)

    def has_dataset(self, name: TableName) -> bool:
        """Whether the dataset of a table exists.

        Raises:
            NoAnswer: BigQuery does not answer.
        """
        with _answers(name):
            dataset = bigquery.DatasetReference(name.project, name.dataset)
            try:
                self.client.get_dataset(dataset, retry=_RETRY, timeout=self.timeout_seconds)
            except NotFound:
                return False
            return True

    def _get(self, name: TableName) -> bigquery.Table | None:
        try:
            return self.client.get_table(str(name), retry=_RETRY, timeout=self.timeout_seconds)
        except NotFound:
            return None

    def _create_table(self, name: TableName, table: Table, retention_days: int | None) -> str:
        if not self.create:
            raise TableError(f"{name} does not exist, and create_tables is false")
        self._ensure_dataset(name)
        wanted = bigquery.Table(str(name), [field_of(column) for column in table.columns])
        wanted.description = table.description
        wanted.clustering_fields = list(table.clustering)
        wanted.time_partitioning = bigquery.TimePartitioning(
            field=table.partition_column,
            expiration_ms=retention_days * DAY_MS if retention_days else None,
        )
        if self.kms_key:
            wanted.encryption_configuration = bigquery.EncryptionConfiguration(self.kms_key)
        # Another launch may have created it meanwhile.
        self.client.create_table(wanted, exists_ok=True, timeout=self.timeout_seconds)
        return "created"

    def _ensure_dataset(self, name: TableName) -> None:
        if self.has_dataset(name):
            return
        if not self.dataset_location:
            raise TableError(
                f"the dataset {name.project}.{name.dataset} does not exist; create it with `bq mk"
                f" --dataset {name.project}:{name.dataset}`, or set dataset_location"
            )
        wanted = bigquery.Dataset(bigquery.DatasetReference(name.project, name.dataset))
        wanted.location = self.dataset_location
        self.client.create_dataset(wanted, exists_ok=True, timeout=self.timeout_seconds)

    def _evolve(self, fit: Fit, name: TableName, table: Table, retention_days: int | None) -> str:
        found, changed = fit.table, []
        if fit.lacks:
            if not self.create:
                missing = column_list(fit.lacks)
                raise TableError(f"{name} is missing {missing}, and create_tables is false")
            found.schema = fit.schema
            changed.append("schema")
        if not fit.is_partitioned:
            _log.warning("%s is not partitioned by %s", name, table.partition_column)
        elif found.require_partition_filter:
            # Appends need no filter; what reads does.
            _log.warning("%s rejects queries without a filter on %s", name, table.partition_column)
        if fit.is_partitioned and self.create and not fit.keeps(retention_days):
            partitioning = found.time_partitioning
            partitioning.expiration_ms = retention_days * DAY_MS if retention_days else None
            found.time_partitioning = partitioning
            changed.append("time_partitioning")
        if not changed:
            return "unchanged"
        self.client.update_table(found, changed, retry=_RETRY, timeout=self.timeout_seconds)
        if fit.lacks:
            return f"added {', '.join(fit.lacks)}"
        if not retention_days:
            return "set partitions to never expire"
        return f"set retention to {retention_days} day{'s' * (retention_days != 1)}"


@contextmanager
def _answers(name: TableName) -> Iterator[None]:
    try:
        yield
    except Forbidden as error:
        raise NoAnswer(
            f"{name}: BigQuery returned {error.code}: {error.message}. The table may not exist,"
            " or the account launching the job may lack a role on its dataset."
        ) from None
    except GoogleAPICallError as error:
        raise NoAnswer(f"{name}: BigQuery returned {error.code}: {error.message}") from None
    except (GoogleAuthError, RetryError, requests.RequestException) as error:
        raise NoAnswer(f"{name}: BigQuery cannot be reached: {clients.reason_of(error)}") from None

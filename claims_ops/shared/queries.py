"""BigQuery for the commands: queries with parameters, and each failure in one line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from pipeline.claims.tables import Table, TableName

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from google.cloud.bigquery import Table as BigqueryTable
    from google.cloud.bigquery.table import RowIterator

PATIENCE_SECONDS = 25.0
"""How long a call is tried again where BigQuery does not answer."""
ANSWER_SECONDS = 15.0
"""How long one try of a call may take; a longer query is polled until it ends."""
EMULATED_SECONDS = 120.0
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Before every row. A query for all rows compares with it, for a table may require a partition
filter."""
_TYPES = {
    str: "STRING",
    int: "INT64",
    float: "FLOAT64",
    Decimal: "NUMERIC",
    bool: "BOOL",
    date: "DATE",
    datetime: "TIMESTAMP",
}

Value = str | int | float | Decimal | bool | date | datetime
Parameters = Mapping[str, Value | Sequence[str] | Sequence[Mapping[str, Value]]]
"""By name; a sequence is an array, of texts or of records that all have the same keys."""


class Queries:
    """Runs queries. Values go in as parameters only, tables as checked names."""

    def __init__(self, client: "Client") -> None:
        from pipeline.clients import is_emulated

        self._client = client
        # An emulator answers when a query ends.
        self._answer_seconds = EMULATED_SECONDS if is_emulated() else ANSWER_SECONDS

    def rows(self, sql: str, parameters: Parameters, page_rows: int | None = None) -> "RowIterator":
        """The result, read page by page.

        Raises:
            click.ClickException: BigQuery refuses, or cannot be reached within a minute.
        """
        from google.cloud.bigquery import QueryJobConfig
        from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY

        with _failures():
            return self._client.query_and_wait(
                sql,
                job_config=QueryJobConfig(query_parameters=_parameters(parameters)),
                retry=DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS),
                job_retry=DEFAULT_JOB_RETRY.with_timeout(PATIENCE_SECONDS),
                api_timeout=self._answer_seconds,
                page_size=page_rows,
            )

    def read(self, rows: "RowIterator") -> Iterator[Mapping[str, Any]]:
        """The rows of a result; further pages are fetched on the way."""
        pages = iter(rows)
        while True:
            with _failures():
                row = next(pages, None)
            if row is None:
                return
            yield row

    def columns_of(
        self, sql: str, parameters: Parameters, most_rows: int
    ) -> Iterator[Mapping[str, list[Any]]]:
        """The result by column, some rows at a time, in no order.

        Through BigQuery's Storage Read API; an emulator is read page by page.

        Raises:
            click.ClickException: BigQuery refuses, or cannot be reached within a minute.
        """
        result = self.rows(sql, parameters, page_rows=most_rows)
        with _failures(), _storage() as storage:
            for batch in result.to_arrow_iterable(bqstorage_client=storage, max_stream_count=1):
                for start in range(0, batch.num_rows, most_rows):
                    yield batch.slice(start, most_rows).to_pydict()

    def has(self, table: TableName) -> bool:
        """Whether a table exists."""
        return self._get(table) is not None

    def columns(self, table: TableName) -> frozenset[str]:
        """The names of its columns; none of a table that does not exist."""
        found = self._get(table)
        return frozenset(field.name for field in found.schema) if found else frozenset()

    def relabel(
        self, table: TableName, change: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> bool:
        """Change the labels of a table; False if somebody else did so at the same time."""
        from google.api_core.exceptions import NotFound, PreconditionFailed
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        found = self._get(table)
        if found is None:
            return False
        found.labels = {**found.labels, **change(found.labels)}
        with _failures():
            try:  # with the ETag of what was read
                self._client.update_table(
                    found,
                    ["labels"],
                    retry=DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS),
                    timeout=self._answer_seconds,
                )
            except (NotFound, PreconditionFailed):
                return False
            return True

    def _get(self, table: TableName) -> "BigqueryTable | None":
        from google.api_core.exceptions import NotFound
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        with _failures():
            try:
                return self._client.get_table(
                    str(table),
                    retry=DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS),
                    timeout=self._answer_seconds,
                )
            except NotFound:
                return None

    def ensure(self, name: TableName, table: Table) -> None:
        """Create a table where it does not exist."""
        from pipeline.sinks.bigquery.table_fit import TableError
        from pipeline.sinks.bigquery.table_setup import TableSetup

        try:
            TableSetup(self._client, create=True).ensure(name, table)
        except TableError as error:
            raise click.ClickException(str(error)) from None


@contextmanager
def connect(project: str) -> Iterator[Queries]:
    """Queries that `project` pays for; in the emulator, where the environment names one.

    Raises:
        click.ClickException: there are no credentials.
    """
    from google.auth.exceptions import GoogleAuthError

    from pipeline import clients

    try:
        client = clients.bigquery_client(project)
    except GoogleAuthError as error:
        raise click.ClickException(f"BigQuery: {_line(error)}") from None
    with client:
        yield Queries(client)


@contextmanager
def _storage() -> Iterator[Any]:
    """A client of the Storage Read API; None on an emulator."""
    from pipeline.clients import is_emulated

    if is_emulated():
        yield None
        return
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

    with BigQueryReadClient() as reader:
        yield reader


def _parameters(given: Parameters) -> list[Any]:
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    return [
        ScalarQueryParameter(name, _TYPES[type(value)], value)
        if isinstance(value, Value)
        else ArrayQueryParameter(name, "STRUCT", [_record(each) for each in value])
        if value and isinstance(value[0], Mapping)
        else ArrayQueryParameter(name, "STRING", value)
        for name, value in given.items()
    ]


def _record(values: Any) -> Any:
    from google.cloud.bigquery import ScalarQueryParameter, StructQueryParameter

    return StructQueryParameter(
        None,
        *(ScalarQueryParameter(name, _TYPES[type(each)], each) for name, each in values.items()),
    )


@contextmanager
def _failures() -> Iterator[None]:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, RequestException) as error:
        raise click.ClickException(f"BigQuery: {_line(error)}") from None


def _line(error: Exception) -> str:
    """What the service says, without the address that was asked, where it says something."""
    from pipeline.clients import reason_of

    details = getattr(error, "errors", None)
    said = details[0].get("message") if details and isinstance(details[0], dict) else None
    return str(said).partition("\n")[0] if said else reason_of(error)

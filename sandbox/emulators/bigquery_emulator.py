"""`bqemulator` 1.4.0 with fixes: `python -m sandbox.emulators.bigquery_emulator start`.

The options are those of `bqemulator`. Each fix says what fails without it, so that it can go
once a version of bqemulator does without.
"""

import functools
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

import duckdb
import pyarrow as pa
from bqemulator.api.routes import jobs, tabledata, tables
from bqemulator.catalog.models import TableMeta
from bqemulator.cli import main
from bqemulator.grpc_api import write_servicer
from bqemulator.sql import catalog_schema, inner_query
from bqemulator.storage import engine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.storage.type_map import bq_schema_to_duckdb_columns
from bqemulator.versioning.snapshots import SnapshotManager
from duckdb_extensions import import_extension
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

P = ParamSpec("P")
R = TypeVar("R")

_STATUS = {"notFound": 404, "duplicate": 409, "accessDenied": 403}
"""Of a query that fails, by BigQuery's reason; else 400."""

_turn = threading.RLock()  # who holds it has the one DuckDB connection to itself


def _in_turn(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def taking_turns(*args: P.args, **kwargs: P.kwargs) -> R:
        with _turn:
            return function(*args, **kwargs)

    return taking_turns


class _Connection:
    """The engine's connection, one call at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._connection, name)
        return _in_turn(attribute) if callable(attribute) else attribute


class _Result:
    """What a statement returned, read before the next one drops it from the connection."""

    def __init__(self, execute: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._execute = execute
        connection = execute()
        self.description = connection.description
        self._rows = connection.fetchall() if self.description else []

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def to_arrow_table(self) -> pa.Table:
        """Asked of SELECT only, as of the one that looks up the columns of a new view."""
        with _turn:
            return self._execute().to_arrow_table()


def _fix_shared_connection() -> None:
    """REST queries and gRPC appends run in different threads, on one connection without a lock.

    Without this, a query during an append fails ("unsuccessful or closed pending query result"),
    reads the answer of the other's statement, or stops the server for good.
    """
    kind: Any = engine.DuckDBEngine
    connection, execute = kind.connection.fget, kind.execute

    def fetch(self: engine.DuckDBEngine, sql: str, parameters: list[Any] | None = None) -> _Result:
        with _turn:
            return _Result(functools.partial(execute, self, sql, parameters))

    def fetch_arrow(
        self: engine.DuckDBEngine, sql: str, parameters: list[Any] | None = None
    ) -> pa.Table:
        with _turn:
            result = execute(self, sql, parameters)
            description = result.description
            return engine._annotate_with_duckdb_types(result.to_arrow_table(), description)

    kind.connection = property(lambda self: _Connection(connection(self)))
    kind.execute, kind.fetch_arrow = fetch, fetch_arrow
    handler: Any = write_servicer.BigQueryWriteHandler
    handler._flush_to_target = _in_turn(handler._flush_to_target)


def _fix_stream_names() -> None:
    """Only the first request of a call must name the stream.

    Without this, the second one of a call is answered NOT_FOUND, and is sent again in a new call.
    """
    handler: Any = write_servicer.BigQueryWriteHandler
    ensure_bound = handler._ensure_stream_bound

    def ensure_bound_once(self: Any, stream_name: str, bound: Any, context: Any) -> Any:
        return (
            bound if bound and not stream_name else ensure_bound(self, stream_name, bound, context)
        )

    handler._ensure_stream_bound = ensure_bound_once


def _fix_nested_fields() -> None:
    """Storage Write builds the table's Arrow schema from the top-level columns only.

    Without this, every RECORD of an appended row is empty.
    """

    def table_arrow_schema(table_meta: TableMeta) -> pa.Schema:
        return tabledata._build_arrow_schema(
            tabledata._fields_raw_from_schema(table_meta.schema_.fields)  # type: ignore[arg-type]
        )

    write_servicer._table_arrow_schema = table_arrow_schema


class _WholeTypes:
    """The catalogue, whose tables give the whole type of a column: of an array, of a record."""

    def __init__(self, catalog: Any) -> None:
        self._catalog = catalog

    def get_table(self, *name: str) -> Any:
        found = self._catalog.get_table(*name)
        if found is None:
            return None
        fields = [SimpleNamespace(name=f.name, type=_whole_type(f)) for f in found.schema_.fields]
        return SimpleNamespace(schema_=SimpleNamespace(fields=fields))


def _whole_type(field: Any) -> str:
    whole = catalog_schema._BQ_TYPE_ALIASES.get(field.type.upper(), field.type)
    if field.fields:
        whole = f"STRUCT<{', '.join(f'{one.name} {_whole_type(one)}' for one in field.fields)}>"
    return f"ARRAY<{whole}>" if field.mode == "REPEATED" else str(whole)


def _fix_types_of_columns() -> None:
    """The translation of a query learns the type of a column, but not that it is an array.

    Without this, as soon as a query calls a function of text or time, `SELECT *` loses the RECORD
    columns of a table, and `codes[OFFSET(0)]` is the item before the first.
    """
    module: Any = inner_query
    build = module.build_catalog_schema

    def build_whole(sql: str, *, project_id: str, catalog: Any) -> Any:
        return build(sql, project_id=project_id, catalog=_WholeTypes(catalog))

    module.build_catalog_schema = build_whole


def _fix_snapshots() -> None:
    """Every append copies its whole table, for time travel, and keeps the copy.

    Without this, time and memory grow with the square of the number of appends: 4.6 GB after
    1,000 appends of 50 small rows. Snapshots on demand still work.
    """
    capture = SnapshotManager.capture

    def capture_on_demand(self: SnapshotManager, *table: str, kind: str = "AUTO") -> Any:
        return None if kind == "AUTO" else capture(self, *table, kind=kind)

    SnapshotManager.capture = capture_on_demand  # type: ignore[method-assign,assignment]


def _fix_new_columns() -> None:
    """An update of a table changes the catalogue, and not the table itself.

    Without this, no row and no query of the table knows its new columns.
    """
    for route in tables.router.routes:
        if isinstance(route, APIRoute) and route.methods in ({"PATCH"}, {"PUT"}):
            route.endpoint = _altering(route.endpoint)


def _altering(update: Callable[..., Awaitable[dict[str, Any]]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(update)
    async def answer(**given: Any) -> Any:
        ctx, name = given["ctx"], [given[f"{part}_id"] for part in ("project", "dataset", "table")]
        found = ctx.catalog.get_table(*name)
        response = await update(**given)
        before = _stored_columns(found)
        async with ctx.engine.write_lock():
            for column, kind in _stored_columns(ctx.catalog.get_table(*name)).items():
                if before.get(column) != kind:
                    change = 'ADD "{}" {}' if column not in before else 'ALTER "{}" TYPE {}'
                    table = quoted_table_ref(*name)
                    ctx.engine.execute(f"ALTER TABLE {table} {change.format(column, kind)}")
        return response

    return answer


def _stored_columns(table: TableMeta) -> dict[str, str]:
    """The types of a table's columns in DuckDB."""
    fields = [tables._field_to_rest(field) for field in table.schema_.fields]
    return dict(bq_schema_to_duckdb_columns(fields))


def _fix_failed_queries() -> None:
    """jobs.query answers a query that fails with status 200, no rows and `errors`.

    Without this, a client takes a mistyped query for one that finds nothing: BigQuery answers with
    a status of failure, and only that raises in `query_and_wait`.
    """
    for route in jobs.router.routes:
        if isinstance(route, APIRoute) and route.endpoint is jobs.query:
            route.endpoint = _failing(jobs.query)


def _failing(query: Callable[..., Awaitable[dict[str, Any]]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(query)
    async def answer(**given: Any) -> Any:
        response = await query(**given)
        if "errors" not in response:
            return response
        (error,) = response["errors"]
        code = _STATUS.get(error["reason"], 400)
        body = {"code": code, "message": error["message"], "errors": [error]}
        return JSONResponse({"error": body}, code)

    return answer


def _install_extensions() -> None:
    """DuckDB's extensions from the installed packages, once per user and version of DuckDB.

    Without this, bqemulator downloads them at every first start, and refuses to start offline.
    """
    with duckdb.connect() as connection:
        answer = connection.execute(
            "SELECT extension_name FROM duckdb_extensions() WHERE installed"
        )
        installed = {name for (name,) in answer.fetchall()}
        for name in {"spatial", "avro"} - installed:
            import_extension(name, con=connection)


if __name__ == "__main__":
    _install_extensions()
    _fix_shared_connection()
    _fix_stream_names()
    _fix_nested_fields()
    _fix_types_of_columns()
    _fix_snapshots()
    _fix_new_columns()
    _fix_failed_queries()
    main()

"""Waits, at a launch, until appends know a table as the launch has left it.

The service accepts values of a new column, or rows of a new table, minutes after the table API has
said that it is done. Workers wait too (append/delivery.py), but their messages wait with them.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

import grpc
from google.auth.exceptions import GoogleAuthError

from pipeline.claims.tables import Table, TableName, column_list
from pipeline.sinks.bigquery.append.channel import endpoint_in_use, open_channel
from pipeline.sinks.bigquery.append.schema_fit import SchemaFit, table_fields
from pipeline.sinks.bigquery.append.shared_streams import default_stream

PATIENCE_SECONDS: Final = 300.0
"""What a launch waits at most for one table."""
_INTERVAL_SECONDS: Final = 5.0
_INVISIBLE: Final = "the table is not visible to the write path yet"
_LAGGING: Final = frozenset(
    {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
)
_log = logging.getLogger(__name__)


def wait_until_known(
    name: TableName,
    table: Table,
    endpoint: str | None,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until the write path shows all columns of a table; False if it did not in time.

    A warning says so, and the launch goes on: rows that cannot be written yet wait in the job.
    """
    url = endpoint_in_use(endpoint)
    try:
        with open_channel(url) as channel:
            return _wait(channel, url, name, table, patience_seconds, sleep)
    except GoogleAuthError:
        _log.warning(
            "%s: no credentials to check whether the table is visible to the write path yet", name
        )
        return False


def _wait(
    channel: grpc.Channel,
    url: str,
    name: TableName,
    table: Table,
    patience_seconds: float,
    sleep: Callable[[float], None],
) -> bool:
    until = time.monotonic() + patience_seconds
    is_told = False
    while True:
        try:
            found = table_fields(channel, default_stream(name))
            lacks = SchemaFit(table.columns, found).left_out
            if not lacks:
                return True
            what = f"{_INVISIBLE} (missing {column_list(lacks)})"
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
            if code not in _LAGGING:
                _log.warning("%s: the write path cannot be checked: %s", name, code.name)
                return False
            is_absent = code is grpc.StatusCode.NOT_FOUND
            what = f"{_INVISIBLE if is_absent else f'{url} does not respond'} ({code.name})"
        if time.monotonic() >= until:
            _log.warning(
                "%s: %s; the job will start anyway and retry its rows for a few minutes", name, what
            )
            return False
        if not is_told:
            is_told = True
            _log.info("%s: %s; waiting up to %.0f s", name, what, patience_seconds)
        sleep(min(_INTERVAL_SECONDS, max(0.0, until - time.monotonic())))

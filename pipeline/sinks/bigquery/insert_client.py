"""The BigQuery client that Beam's sink for streaming inserts is given."""

import logging
import re
import time
from collections.abc import Collection, Mapping, Sequence
from http.client import responses
from typing import Any, Final

from apache_beam.io.gcp.bigquery_tools import RetryStrategy
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.cloud import bigquery

from pipeline import clients

BUDGET_SECONDS: Final = 300.0
"""The longest that rows wait for a table, one of its columns, or an error to pass."""
INTERVAL_SECONDS: Final = 5.0
_TABLE: Final = ""
_PASSING: Final = "*"
"""These stand among the names of columns for the table itself, and for an error that will pass."""
_NOT_FOUND: Final = responses[404]
_SHOWN: Final = frozenset(
    "backendError internalError quotaExceeded rateLimitExceeded stopped tableUnavailable"
    " timeout".split()
) | frozenset(responses.values())
"""The reasons of errors that pass, by their documentation; any other word may be a value."""
_LACKING_TEXT: Final = re.compile(r"no such field\b", re.I)

_log = logging.getLogger(__name__)


class InsertClient:
    """Inserts rows. For one thread.

    Rows wait for a table or a column that is not visible to inserts yet, for example after a launch
    has added it, and for errors to pass: Beam would wait twice as long after each request of a
    bundle, even if that was answered well, and up to 25 minutes. When Google's client gives up, its
    error contains the service's text, which may quote a row, and Beam would log it; the error
    raised here does not contain it.
    """

    def __init__(self, project: str, columns: Collection[str]) -> None:
        """`project` is billed; `columns` are the names of the columns that rows may have."""
        self._project = project
        self._columns = frozenset(columns)
        self._client: bigquery.Client | None = None
        self._failing_since: dict[str, float] = {}  # by cause; CLOCK_MONOTONIC

    def insert_rows_json(
        self,
        table: str,
        json_rows: Sequence[Mapping[str, Any]],
        row_ids: Sequence[str | None],
        **options: Any,
    ) -> list[dict[str, Any]]:
        """The errors of the refused rows, with the `index` of each row, as the client returns them.

        Raises:
            RuntimeError: the client gave up.
        """
        errors: list[dict[str, Any]] = []
        places = list(range(len(json_rows)))
        while True:
            rows = [json_rows[place] for place in places]
            found = self._insert(table, rows, [row_ids[place] for place in places], options)
            if self._failing_since:
                self._note_stored(rows, found)
            waiting = []
            for error in found:
                place, cause = places[error["index"]], self._cause(error)
                if cause is not None and self._is_waited_for(cause, table, error):
                    waiting.append(place)
                else:
                    errors.append({**error, "index": place})
            if not waiting:
                return errors
            places = waiting
            time.sleep(INTERVAL_SECONDS)

    def _insert(
        self, table: str, rows: Sequence[Any], ids: Sequence[str | None], options: dict[str, Any]
    ) -> Sequence[dict[str, Any]]:
        self._client = self._client or clients.bigquery_client(self._project)
        try:
            found: Sequence[dict[str, Any]] = self._client.insert_rows_json(
                table, rows, row_ids=ids, **options
            )
            return found
        except RetryError as error:
            reason = type(error.cause).__name__
        except GoogleAPICallError as error:
            # A quota that is spent for now is answered as a permission that is lacking: by 403.
            named = [each["reason"] for each in error.errors[:1] if each.get("reason") in _SHOWN]
            refused = [{"reason": (*named, responses.get(error.code or 0, "unknown"))[0]}]
            return [{"index": place, "errors": refused} for place in range(len(rows))]
        raise _failed(reason)

    def _cause(self, error: Mapping[str, Any]) -> str | None:
        """What a refused row has to wait for: None for nothing."""
        for first in error["errors"][:1]:
            column, reason = first.get("location"), first.get("reason")
            if column in self._columns and _LACKING_TEXT.match(first.get("message", "")):
                return str(column)
            if reason == _NOT_FOUND:
                return _TABLE
            if RetryStrategy.should_retry(RetryStrategy.RETRY_ON_TRANSIENT_ERROR, reason):
                return _PASSING
        return None

    def _is_waited_for(self, name: str, table: str, error: Mapping[str, Any]) -> bool:
        """Whether there is time left to wait; the budget is per cause, not per row.

        Raises:
            RuntimeError: an error has not passed.
        """
        now = time.monotonic()
        if name not in self._failing_since:
            what = f"column {name}" if name else "the table"
            why = f"{what} is not visible to inserts yet"
            if name == _PASSING:
                why = f"inserts are failing ({_reason(error)})"
            _log.warning("%s: %s; rows will wait up to %.0f s", table, why, BUDGET_SECONDS)
        is_waited_for = now - self._failing_since.setdefault(name, now) < BUDGET_SECONDS
        if name == _PASSING and not is_waited_for:
            del self._failing_since[name]
            raise _failed(_reason(error))
        return is_waited_for

    def _note_stored(
        self, rows: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
    ) -> None:
        """Forget what rows had to wait for, where they no longer have to."""
        failed = {error["index"]: self._cause(error) for error in found}
        stored = [row for place, row in enumerate(rows) if place not in failed]
        for name in list(self._failing_since):
            if name in (_TABLE, _PASSING):
                is_over = name not in failed.values()
            else:
                is_over = any(name in row for row in stored)
            if is_over:
                del self._failing_since[name]


def _reason(error: Mapping[str, Any]) -> str:
    reason = error["errors"][0].get("reason")
    return str(reason) if reason in _SHOWN else "unknown"


def _failed(reason: str) -> RuntimeError:
    return RuntimeError(f"BigQuery has not accepted any rows for several minutes: {reason}")

"""The BigQuery client that Beam's sink for streaming inserts is given."""

import logging
import re
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from google.api_core.exceptions import NotFound, RetryError
from google.cloud import bigquery

from pipeline import clients

BUDGET_SECONDS: Final = 300.0
"""The longest that rows wait for a table, or one of its columns, to be visible to inserts."""
INTERVAL_SECONDS: Final = 5.0
_TABLE: Final = ""
"""Stands for the table itself among the names of its columns."""
_LACKING_TEXT: Final = re.compile(r"no such field\b", re.I)

_log = logging.getLogger(__name__)


class InsertClient:
    """Inserts rows. For one thread.

    Rows wait for a table or a column that is not visible to inserts yet, for example after a launch
    has added it. When Google's client gives up, its error contains the service's text, which may
    quote a row, and Beam would log it; the error raised here does not contain it.
    """

    def __init__(self, project: str, columns: Collection[str]) -> None:
        """`project` is billed; `columns` are the names of the columns that rows may have."""
        self._project = project
        self._columns = frozenset(columns)
        self._client: bigquery.Client | None = None
        self._lacking_since: dict[str, float] = {}  # by column, or _TABLE; CLOCK_MONOTONIC

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
            try:
                found = self._insert(table, rows, [row_ids[place] for place in places], options)
            except NotFound:
                if not self._is_waited_for(_TABLE, table):
                    missing = {"reason": "Not Found"}
                    return errors + [{"index": place, "errors": [missing]} for place in places]
                time.sleep(INTERVAL_SECONDS)
                continue
            if self._lacking_since:
                self._note_stored(rows, {error["index"] for error in found})
            waiting = []
            for error in found:
                place, lacking = places[error["index"]], self._lacking(error)
                if lacking and self._is_waited_for(lacking, table):
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
        raise RuntimeError(f"BigQuery has not accepted any rows for several minutes: {reason}")

    def _lacking(self, error: Mapping[str, Any]) -> str | None:
        """The column that the table lacks, if that is why the row was refused."""
        for first in error["errors"][:1]:
            column = first.get("location")
            if column in self._columns and _LACKING_TEXT.match(first.get("message", "")):
                return str(column)
        return None

    def _is_waited_for(self, name: str, table: str) -> bool:
        """Whether there is time left to wait; the budget is per table or column, not per row."""
        now = time.monotonic()
        if name not in self._lacking_since:
            what = f"column {name}" if name else "the table"
            _log.warning(
                "%s: %s is not visible to inserts yet; rows will wait up to %.0f s",
                table,
                what,
                BUDGET_SECONDS,
            )
        return now - self._lacking_since.setdefault(name, now) < BUDGET_SECONDS

    def _note_stored(self, rows: Sequence[Mapping[str, Any]], failed: Collection[int]) -> None:
        """Forget that the table, or a column with a stored value, was missing."""
        stored = [row for place, row in enumerate(rows) if place not in failed]
        for name in list(self._lacking_since):
            if name == _TABLE or any(name in row for row in stored):
                del self._lacking_since[name]

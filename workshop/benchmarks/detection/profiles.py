"""Profiles of claims in files: the product's own SQL, run by DuckDB in the place of BigQuery."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from string import Template
from typing import Any

import duckdb
import pyarrow
import sqlglot

from pipeline.claims.signals.amounts import ClaimPercentiles
from pipeline.claims.signals.provider_profile import ProviderProfiles

SQL = Path(__file__).parents[3] / "sql"
_COLUMNS = {
    "claim_id": pyarrow.string(),
    "patient_id": pyarrow.string(),
    "provider_id": pyarrow.string(),
    "provider_specialty": pyarrow.string(),
    "provider_region": pyarrow.string(),
    "claim_type": pyarrow.string(),
    "claim_amount": pyarrow.float64(),
    "service_date": pyarrow.date32(),
    "service_end_date": pyarrow.date32(),
    "admission_date": pyarrow.date32(),
    "procedure_codes": pyarrow.list_(pyarrow.string()),
    "submission_date": pyarrow.date32(),
}
"""What the queries read of a claim, and the day on which it came."""


class ClaimTable:
    """Claims as a table that the queries run on."""

    def __init__(self, claims: Iterable[Mapping[str, Any]]) -> None:
        """Take claims in the form of the contract, dates as ISO text."""
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for claim in claims:
            for name, values in columns.items():
                value = claim.get(name)
                if value is not None and _COLUMNS[name] == pyarrow.date32():
                    value = date.fromisoformat(value)
                elif value is not None and name == "claim_amount":
                    value = float(value)
                values.append(value)
        arrays = [pyarrow.array(columns[name], kind) for name, kind in _COLUMNS.items()]
        self._database = duckdb.connect(config={"threads": 2})
        self._database.register("claims_in_files", pyarrow.table(arrays, names=list(_COLUMNS)))
        self._database.execute("CREATE TABLE claims AS SELECT * FROM claims_in_files")

    def days(self) -> tuple[date, date]:
        """The first and the last day of service."""
        first, last = self.ask("SELECT MIN(service_date), MAX(service_date) FROM claims")[0]
        return first, last

    def provider_profiles(self, as_of: date, *, all_claims: bool = False) -> ProviderProfiles:
        """The profiles as of a day, as a worker would read them.

        Of the claims that had come by then, or of `all_claims` of service by then.
        """
        return ProviderProfiles(self._file("provider_profile", as_of, all_claims))

    def claim_percentiles(self, as_of: date) -> ClaimPercentiles:
        """The percentiles as of a day, as a worker would read them."""
        return ClaimPercentiles(self._file("claim_percentiles", as_of, False))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a DuckDB query."""
        return self._database.execute(sql).fetchall()

    def _file(self, query: str, as_of: date, all_claims: bool) -> Sequence[str]:
        came = "" if all_claims else f" WHERE submission_date <= DATE '{as_of}'"
        day = f"DATE '{as_of}'"
        claims = f"(SELECT *, {day} AS processing_timestamp FROM claims{came})"
        given = {"AS_OF": day, "CURRENT_CLAIMS": claims}
        text = Template((SQL / f"{query}.sql").read_text("utf-8")).substitute(given)
        [translated] = sqlglot.transpile(text, read="bigquery", write="duckdb")
        result = self._database.execute(translated)
        written = io.StringIO()
        table = csv.writer(written)
        table.writerow([name for name, *_ in result.description or ()])
        table.writerows(result.fetchall())
        return written.getvalue().splitlines(keepends=True)


def quarters(first: date, last: date) -> list[date]:
    """Days 90 apart, so that their windows of 90 days cover all claims once."""
    days = [last]
    while days[-1] - timedelta(days=90) >= first:
        days.append(days[-1] - timedelta(days=90))
    return days

"""The two tables with rows of a test's choice, and what a report tells of them."""

import html
import re
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from claims_ops import main as cli
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery.table_setup import TableSetup

DAY = "2026-11-23"


class Tables:
    """Both tables, with rows of the test's choice."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self.client, self.dataset = client, dataset
        for name, table in self.by_name().items():
            TableSetup(client, create=True).ensure(TableName.parse(f"{dataset}.{name}"), table)

    def by_name(self) -> dict[str, Any]:
        return {"claims": claims_table(Contract.default()), "errors": errors_table()}

    def claim(self, number: int, **fields: Any) -> dict[str, Any]:
        """A row of a claim, whose own values no report may show."""
        at = f"{DAY}T10:{number % 60:02}:00Z"
        return {
            "claim_id": f"CLAIM-{number}",
            "patient_id": f"PATIENT-{number}",
            "provider_id": f"PRV{number % 7}",
            "claim_amount": f"{6000 + number}.37",
            "claim_status": "PAID",
            "notes": "SECRET-NOTE",
            "provider_region": "CA",
            "fraud_risk_score": 0.6,
            "high_risk_flag": True,
            "message_id": f"m{number}",
            "risk_reasons": ["high_amount"],
            "quality_issues": ["missing_patient_age"],
            "publish_time": at,
            "processing_timestamp": at,
        } | fields

    def error(self, number: int, **fields: Any) -> dict[str, Any]:
        """A row of a rejected message."""
        return {
            "error_timestamp": f"{DAY}T11:{number % 60:02}:00Z",
            "stage": "validate",
            "error_code": "schema_violation",
            "error": "claim_amount: missing",
            "violations": [{"field": "claim_amount", "rule": "required", "message": "missing"}],
            "claim_id": f"CLAIM-E{number}",
            "raw_message": "SECRET-RAW",
            "message_id": f"e{number}",
        } | fields

    def add(self, claims: list[dict[str, Any]], errors: list[dict[str, Any]]) -> None:
        for name, rows in (("claims", claims), ("errors", errors)):
            assert not rows or not self.client.insert_rows_json(f"{self.dataset}.{name}", rows)

    def report(self, path: Path, *arguments: str) -> int:
        return self._run("--output", str(path), *arguments)

    def pages(self, folder: Path, *arguments: str) -> int:
        return self._run("--pages", str(folder), *arguments)

    def _run(self, *arguments: str) -> int:
        names = ("--output-table", f"{self.dataset}.claims")
        errors = ("--error-table", f"{self.dataset}.errors")
        return cli.main(["report", *names, *errors, *arguments])


def tiles(page: str) -> dict[str, str]:
    """The figures at the top, by their labels."""
    found = re.findall(r'<dt>([^<]+)</dt><dd class="value">([^<]*)</dd>', page)
    return {html.unescape(label): html.unescape(value) for label, value in found}


def sections(page: str) -> list[str]:
    """The ids of its sections, in their order."""
    return re.findall(r'<section class="card[^"]*" id="([^"]+)"', page)

"""A report as JSON, for programs: what the page shows, under the same rules of privacy."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from claims_ops.report.findings import findings
from claims_ops.report.measures import CLAIMS, Measures, Scope


def document(measures: Measures, scope: Scope) -> str:
    """The figures of the page; amounts are rounded as on the page, but for those of claims."""
    totals = {"claims": measures.claims_totals}
    if scope.has_errors:
        totals["rejected"] = measures.error_totals
    if measures.previous:
        totals["previous"] = measures.previous
    answers = {name: rows for name, rows in measures.answers.items() if name != CLAIMS}
    whole: dict[str, Any] = {
        "by": scope.by,
        "since": measures.first_seen,
        "until": measures.last_seen,
        "totals": {name: _rounded(row, 3) for name, row in totals.items()},
        "findings": findings(measures) if scope.provider is None else [],
        "providers": [
            {**_rounded(each.row, 2), "reasons": each.reasons, "steps": each.steps}
            for each in measures.providers
        ],
        **{name: [_rounded(row, 2) for row in rows] for name, rows in answers.items()},
    }
    if CLAIMS in measures.answers:
        whole[CLAIMS] = measures.answers[CLAIMS]
    return json.dumps(whole, default=_text, indent=1) + "\n"


def _rounded(row: Mapping[str, Any], digits: int) -> dict[str, Any]:
    return {
        name: float(f"{value:.{digits - 1}e}") if isinstance(value, Decimal) else value
        for name, value in row.items()
    }


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else f"{value:f}"

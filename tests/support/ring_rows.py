"""Rows of generated claims with ring providers among honest ones, judged with profiles."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Contract
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.signals.medically_unlikely import MedicallyUnlikely
from pipeline.claims.stages import Enrich, Parse, Validate, through
from sandbox.synthetic.rings import FIRST_LARGE, FIRST_RING, LARGE, PATTERNS, RINGS
from sandbox.synthetic.samples import messages
from workshop.benchmarks.detection.profiles import ClaimTable

NOW = datetime(2026, 11, 23, tzinfo=UTC)
_BATCH = 250
_MUE = [
    "HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale\n",
    *(f"{code},6,3 Date of Service Edit: Clinical,made up\n" for code in ("97110", "97140")),
    *(f"{code},6,3 Date of Service Edit: Clinical,made up\n" for code in ("97161", "97530")),
]
_COLUMNS = (
    *("claim_id", "patient_id", "provider_id", "provider_specialty", "provider_region"),
    *("claim_amount", "claim_status", "service_date", "submission_date"),
    *("synthetic_label_is_fraud", "fraud_risk_score", "high_risk_flag", "risk_reasons"),
    *("risk_evidence", "quality_issues", "rules_version", "message_id", "publish_time"),
    *("claim_frequency_code", "original_claim_id", "payer_id", "bill_type"),
    "processing_timestamp",
)
"""What a report reads; the others would only take time to insert."""
PATTERN_OF = {
    f"PRV{FIRST_RING + number:05d}": tuple(PATTERNS)[number % len(PATTERNS)]
    for number in range(RINGS)
}
"""The pattern of each ring provider."""
LARGE_PROVIDERS = tuple(f"PRV{FIRST_LARGE + number:05d}" for number in range(LARGE))


def rows(count: int, seed: int = 1, bad_share: float = 0.0) -> tuple[list[Any], list[Any]]:
    """Rows of the claims and of the error table, as JSON, over the two days before `NOW`.

    Every claim is judged with the profiles of all of them.
    """
    contract, step = Contract.default(), timedelta(days=2) / count
    sent = list(messages(count, bad_share, seed, NOW, variants=0))
    table = ClaimTable(_standing(json.loads(s.data) for s in sent if s.expected == "accepted"))
    lookups = {
        "mue_table": MedicallyUnlikely(_MUE),
        "provider_profile": table.provider_profiles(NOW.date(), all_claims=True),
        "claim_percentiles": table.claim_percentiles(NOW.date()),
    }
    at = NOW - timedelta(days=2)
    enrich = Enrich(
        ClaimRows(contract, Unchanging(Rules.default(), lookups), 0.5, "test"), lambda: _text(at)
    )
    stages = [Parse(contract), Validate(contract), enrich]
    accepted: list[Any] = []
    rejected: list[Any] = []
    for begin in range(0, count, _BATCH):
        at += step * _BATCH
        batch = [
            Message(each.data, f"m{begin + place}", _text(at - timedelta(seconds=2)))
            for place, each in enumerate(sent[begin : begin + _BATCH])
        ]
        decided = through(stages, batch)
        accepted += [{name: row[name] for name in _COLUMNS} for row in decided.outcomes]
        rejected += [
            {
                "error_timestamp": _text(at),
                "stage": rejection.stage,
                "error_code": rejection.error_code,
                "error": rejection.error,
                "message_id": message.message_id,
                "violations": [each._asdict() for each in rejection.violations],
            }
            for message, rejection in decided.rejected
        ]
    return accepted, rejected


def _standing(claims: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each claim once, without those that were replaced or voided, as profiles read them."""
    by_id = {claim["claim_id"]: claim for claim in claims}
    replaced = {claim.get("original_claim_id") for claim in by_id.values()}
    return [
        claim
        for name, claim in by_id.items()
        if name not in replaced and claim.get("claim_frequency_code") != "8"
    ]


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"

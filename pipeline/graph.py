"""The whole graph, on one screen."""

from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam

from pipeline.claims.clock import Clock, SystemClock
from pipeline.claims.contract import Contract
from pipeline.claims.score import Rules
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.transforms.enrich_claims import EnrichClaims
from pipeline.transforms.parse_json import ParseJson
from pipeline.transforms.pseudonymous_steps import steps_for
from pipeline.transforms.validate_claims import ValidateClaims
from pipeline.transforms.write_errors import WriteErrors


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides on a claim: documents and figures, checked at launch."""

    contract: Contract
    rules: Rules
    high_risk_threshold: float
    pipeline_version: str
    error_payload: str = "FULL"
    pseudonymisation: Pseudonymisation | None = None


class Sinks(NamedTuple):
    """Where rows go. A sink takes (Message, row) and gives (Message, Rejection) of refused rows."""

    claims: beam.PTransform
    errors: beam.PTransform


def build(
    messages: beam.PCollection, settings: Settings, sinks: Sinks, clock: Clock | None = None
) -> None:
    """Lead every message to exactly one row of one of the two tables.

    The labels are what operators see in the console, and what an update of a running job
    matches on: they are API.
    """
    clock = clock or SystemClock()
    contract, version = settings.contract, settings.pipeline_version
    steps, threshold = steps_for(settings.pseudonymisation), settings.high_risk_threshold
    enrich = EnrichClaims(contract, settings.rules, threshold, version, clock, steps.enrich)
    shown = frozenset(contract.properties) if settings.error_payload == "REDACTED" else None

    parsed = messages | "ParseJson" >> ParseJson(contract, steps.decode)
    validated = parsed.accepted | "ValidateClaims" >> ValidateClaims(contract, steps.validate)
    enriched = validated.accepted | "EnrichClaims" >> enrich
    refused = enriched.accepted | "WriteClaims" >> sinks.claims
    (
        (parsed.rejected, validated.rejected, enriched.rejected, refused)
        | "FlattenRejections" >> beam.Flatten()
        | "WriteErrors"
        >> WriteErrors(sinks.errors, contract.version, version, clock, shown, steps.error_rows)
    )

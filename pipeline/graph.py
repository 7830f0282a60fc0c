"""The whole graph, on one screen."""

from functools import partial
from typing import NamedTuple

import apache_beam as beam

from pipeline.claims.clock import Clock, SystemClock
from pipeline.settings import Settings
from pipeline.transforms.step import Decide
from pipeline.transforms.write_errors import ErrorRowFn, WriteErrors


class Sinks(NamedTuple):
    """Where rows go. A sink takes (Message, row) and gives (Message, Rejection) of refused rows."""

    claims: beam.PTransform
    errors: beam.PTransform


def build(
    messages: beam.PCollection, settings: Settings, sinks: Sinks, clock: Clock | None = None
) -> None:
    """Turn every message into one row of one of the two tables.

    The labels are what operators see in the console, and what an update of a running job
    matches on: they are API.
    """
    clock = clock or SystemClock()
    contract, version = settings.contract, settings.pipeline_version
    shown = frozenset(contract.properties) if settings.error_payload == "REDACTED" else None
    enrich = partial(settings.enrich, clock)
    error_rows = ErrorRowFn(contract.version, version, clock, shown, settings.map_version)

    parsed = messages | "ParseJson" >> Decide("Decode", settings.parse)
    unread, fields = parsed.rejected, parsed.accepted
    if settings.claim_map is not None:  # running jobs can be updated to a map
        mapped = fields | "MapClaims" >> Decide("Map", settings.map)
        unread = (unread, mapped.rejected) | "FlattenUnmapped" >> beam.Flatten()
        fields = mapped.accepted
    validated = fields | "ValidateClaims" >> Decide("Validate", settings.validate)
    enriched = validated.accepted | "EnrichClaims" >> Decide("Enrich", enrich)
    refused = enriched.accepted | "WriteClaims" >> sinks.claims
    (
        (unread, validated.rejected, enriched.rejected, refused)
        | "FlattenRejections" >> beam.Flatten()
        | "WriteErrors" >> WriteErrors(sinks.errors, error_rows)
    )

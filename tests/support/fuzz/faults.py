"""Faults for the pipeline, each of which the fuzzer and its corpus must find."""

import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from claims_ops.replay import message as replay_message
from pipeline.claims import claim_rows, contract, error_row, validate
from pipeline.claims.columns import Rows
from pipeline.claims.formats import json_documents
from pipeline.claims.rejection import Violation
from pipeline.claims.validate import ClaimValidator
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder


def _instead(owner: Any, name: str, replacement: Callable[..., Any]) -> Any:
    """A patch whose function is given the original one first."""
    original = getattr(owner, name)

    def replaced(*given: Any) -> Any:
        return replacement(original, *given)

    return mock.patch.object(owner, name, replaced)


def _hang(original: Any, data: bytes, *rest: Any) -> Any:
    while b"claim" in data:
        time.sleep(0)
    return original(data, *rest)


def _with_value(original: Any, error: Any, *rest: Any) -> Violation:
    return original(error, *rest)._replace(message=f"must not be {error.instance!r}")


def _with_patient_id(original: Any, own: Any, claim: dict[str, Any], violations: Any) -> Any:
    rejection = original(own, claim, violations)
    return rejection._replace(error=f"{claim.get('patient_id')}: {rejection.error}")


def _with_other_notes(original: Any, *given: Any) -> Any:
    validated = original(*given)
    claims = validated.claims
    if len(claims) == 1:
        return validated
    others = Rows({**claims.columns, "notes": ["another"] * len(claims)})
    return validated._replace(claims=others)


FAULTS: dict[str, Any] = {
    "crash": _instead(json_documents, "_diagnosis", lambda original, data, error: [][len(data)]),
    "hang": _instead(json_documents, "decode", _hang),
    "duplicate keys pass": _instead(json_documents, "_unique", lambda original, pairs: dict(pairs)),
    "digits are rounded": _instead(
        json_documents, "exact_number", lambda original, text: float(text)
    ),
    "long numbers pass": mock.patch.object(json_documents, "_EXACT_TOKEN", 99),
    "an unknown field is lost": _instead(validate, "json_text", lambda original, fields: "{}"),
    "money is cut": _instead(
        claim_rows,
        "decimal_texts",
        lambda original, values: [text and text[:9] for text in original(values)],
    ),
    "a value is told": _instead(contract, "describe", _with_value),
    "an id is told": _instead(ClaimValidator, "_rejection", _with_patient_id),
    "a step raises": _instead(claim_rows, "json_column", lambda original, value: value["a"]),
    "a batch decides otherwise": _instead(ClaimValidator, "validate", _with_other_notes),
    "what is invalid passes": _instead(
        contract.Contract,
        "accept",
        lambda original, own, claims, columns=None: ["claim_amount" in claim for claim in claims],
    ),
    "a column encodes otherwise": _instead(
        RowEncoder, "encode", lambda original, own, rows: original(own, rows)[:1] * len(rows)
    ),
    "an error row is stripped": _instead(
        error_row, "raw_columns", lambda original, data: original(data.strip())
    ),
    "an error row is cut": mock.patch.object(error_row, "TRUNCATED", "identity"),
    "a replay is not counted": mock.patch.object(replay_message, "REPLAY_COUNT", "replays"),
    "attributes are lost": _instead(
        error_row, "error_row", lambda original, *given: original(*given) | {"attributes": []}
    ),
}
"""What is broken -> a patch that breaks it, not started."""

"""One claim, at launch, through all that workers will do with it, but for sending it.

Documents that pass every check may still be more than a part of the worker takes: a message of
protobuf with thousands of fields, for one. An update with such a job would replace a healthy one.
"""

import json
import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.contract import Column, types_of
from pipeline.claims.document_cost import cpu_milliseconds
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Message
from pipeline.claims.rules import condition_of
from pipeline.claims.tables import Table, claims_table, errors_table
from pipeline.claims.validate import STAGE as VALIDATE
from pipeline.settings import Settings
from pipeline.sinks.bigquery.append.answers import AppendRowsRequest
from pipeline.sinks.bigquery.append.limits import REQUEST_OVERHEAD_BYTES, SERVICE_MAX_REQUEST_BYTES
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder

MAX_MILLISECONDS = 10
"""CPU of validating or scoring one claim, above which no job is launched. Ours take 0.01."""
WARN_MILLISECONDS = 1
_NOW = "2026-01-02T03:04:05Z"
_VALUES: dict[str, Any] = {
    "STRING": "x" * 64,
    "INTEGER": 1,
    "NUMERIC": 1.25,  # comparing numbers takes longest with fractions
    "BIGNUMERIC": 1.25,
    "FLOAT": 1.25,
    "BOOLEAN": True,
    "DATE": _NOW[:10],
    "TIMESTAMP": _NOW,
    "JSON": {},
    "BYTES": b"x",
}
"""Of each type of column, a value that a claim may have in it."""
_SCALARS = {"string": _VALUES["STRING"], "integer": 1, "number": 1.25, "boolean": True}


_log = logging.getLogger(__name__)


class RehearsalFailed(Exception):
    """Workers could not run with a document: which parameter names it, and why, in one line."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(reason)
        self.parameter = parameter


def rehearse(settings: Settings) -> None:
    """Unpickle and compile what workers do; make one row of each table, and a request of it.

    Raises:
        RehearsalFailed: a part of it cannot be made.
    """
    try:
        _rehearse(pickle.loads(pickle.dumps(settings)))  # noqa: S301 - our own
    except RehearsalFailed:
        raise
    except Exception as error:  # whatever it is, workers would end with it again and again
        reason = f"workers would fail with it ({type(error).__name__}: {error})"
        raise RehearsalFailed("claim_schema", reason) from None


def _rehearse(settings: Settings) -> None:
    claim = {column.name: _value(column) for column in settings.contract.columns}
    claim |= {
        name: _inside(settings.contract.properties[name]) for name in settings.contract.objects
    }
    messages: Sequence[Message] = [Message(json.dumps(claim).encode())]
    subjects: Sequence[Any] = messages
    if settings.claim_map is not None:
        # No document in its format is known here, but a runaway map usually shows on these, too.
        for document in ({}, claim):
            _bound("claim_map", "", settings.map().decide, messages, [document])
    # A schema may well reject this claim: what matters is that the stages decide on it.
    for stage in (settings.parse(), settings.validate(), settings.enrich(lambda: _NOW)):
        if subjects:
            decided = stage.decide(messages, subjects)
            if stage.name == VALIDATE:
                _bound("claim_schema", "", stage.decide, messages, subjects)
            messages, subjects = decided.messages, decided.outcomes
    rows = ClaimRows(
        settings.contract,
        Unchanging(settings.rules),
        settings.high_risk_threshold,
        settings.pipeline_version,
    )
    [row] = rows.rows([Message(b"")], [claim | {"additional_fields": None}], _NOW)
    together = sum(
        _bound("rules", f"the rule {rule.id} ", condition_of(rule), claim)
        for rule in (*settings.rules.risk, *settings.rules.quality)
    )
    _judge("rules", "evaluating all rules ", together)
    _request(claims_table(settings.contract), row)
    errors = errors_table()
    _request(errors, {column.name: _value(column) for column in errors.columns})


def _request(table: Table, row: dict[str, Any]) -> None:
    """The first request of a connection, with one row in it."""
    encoder = RowEncoder(table.columns)
    request = AppendRowsRequest()
    request.proto_rows.writer_schema.proto_descriptor.CopyFrom(encoder.writer_schema)
    request.proto_rows.rows.serialized_rows.extend(encoder.encode([row]))
    if request.ByteSize() > SERVICE_MAX_REQUEST_BYTES - REQUEST_OVERHEAD_BYTES:
        reason = f"a single row needs a request of {request.ByteSize():,} bytes, which is too large"
        raise RehearsalFailed("claim_schema", reason)


def _bound(parameter: str, what: str, decide: Callable[..., Any], *arguments: Any) -> float:
    """Refuse what takes a claim too long; warn of what takes it long. Milliseconds of CPU."""
    least = cpu_milliseconds(partial(decide, *arguments), WARN_MILLISECONDS)
    _judge(parameter, what, least)
    return least


def _judge(parameter: str, what: str, milliseconds: float) -> None:
    text = f"{what}takes {milliseconds:.1f} ms of CPU per claim"
    if milliseconds > MAX_MILLISECONDS:
        raise RehearsalFailed(parameter, f"{text}; the limit is {MAX_MILLISECONDS} ms")
    if milliseconds > WARN_MILLISECONDS:
        _log.warning("%s: %s", parameter, text)


def _value(column: Column) -> Any:
    if column.type == "RECORD":
        value: Any = {field.name: _value(field) for field in column.fields}
        # Validation leaves JSON in a record as the text that its column takes.
        value |= {
            field.name: ["{}"] if field.mode == "REPEATED" else "{}"
            for field in column.fields
            if field.type == "JSON"
        }
    else:
        value = _VALUES[column.type]
    return [value] if column.mode == "REPEATED" else value


def _inside(schema: Any) -> Any:
    """A value of a JSON column, or a part of it, that follows the types and names of its schema."""
    if not isinstance(schema, Mapping):
        return _VALUES["STRING"]
    kind = next(iter(types_of(schema)), "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: _inside(inner) for name, inner in schema.get("properties", {}).items()}
    return [_inside(schema.get("items"))] if kind == "array" else _SCALARS[kind]

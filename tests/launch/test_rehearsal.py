"""The rehearsal of a launch: what workers could not run is found before anything starts."""

import json
from typing import Any

import pytest

from pipeline.claims.contract import Contract, default_contract_text
from pipeline.claims.score import Rules
from pipeline.launch.rehearsal import RehearsalFailed, rehearse
from pipeline.settings import Settings


def settings(fields: dict[str, Any] | None = None, rules: Rules | None = None) -> Settings:
    """The default documents, with more fields."""
    document = json.loads(default_contract_text())
    document["properties"] |= fields or {}
    return Settings(Contract(json.dumps(document)), rules or Rules.default(), 0.5, "1.0.0")


def test_default_documents():
    rehearse(settings())


def test_every_type_of_column():
    types = {
        "text": {"type": "string"},
        "whole": {"type": "integer"},
        "exact": {"type": "number", "x-bigquery": {"type": "BIGNUMERIC"}},
        "rough": {"type": "number"},
        "yes": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "instant": {"type": "string", "format": "date-time"},
        "anything": {"type": "object"},
        "list": {"type": "array", "items": {"type": "integer"}},
    }
    required = {f"must_{name}": schema for name, schema in types.items() if name != "list"}
    for schema in required.values():
        schema |= {"x-bigquery": {"mode": "REQUIRED", **schema.get("x-bigquery", {})}}
    rehearse(settings(types | required))


def test_a_claim_that_the_schema_rejects():
    rehearse(settings({"never": {"type": "string", "enum": ["nothing of a rehearsal"]}}))


def test_more_fields_than_a_message_of_protobuf_takes():
    wide = {f"field_{i}": {"type": "string"} for i in range(4_500)}
    with pytest.raises(RehearsalFailed, match="^workers cannot run it: TypeError: .*65535 bytes"):
        rehearse(settings(wide))


def test_a_name_that_leaves_no_room_in_a_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.launch.prepare.rehearsal.SERVICE_MAX_REQUEST_BYTES", 5_000)
    with pytest.raises(RehearsalFailed, match="^a request of one row needs [0-9,]+ bytes$"):
        rehearse(settings())


def test_rules_that_do_not_compile():
    broken = Rules.default()
    broken.text = broken.text.replace('"exclusiveMinimum"', '"pattern": "[", "exclusiveMinimum"')
    with pytest.raises(RehearsalFailed, match="^workers cannot run it: "):
        rehearse(settings(rules=broken))

"""The rehearsal of a launch: what workers could not run is found before anything starts."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.claims.contract import Contract, default_contract_text
from pipeline.claims.mapping.claim_map import PACKAGED_MAPS, ClaimMap
from pipeline.claims.rules import Rules
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
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "x-bigquery": {"type": "RECORD"},
                "properties": {"all": {"type": "array", "items": {"type": "object"}}},
            },
        },
    }
    required = {
        f"must_{name}": schema for name, schema in types.items() if schema["type"] != "array"
    }
    for schema in required.values():
        schema |= {"x-bigquery": {"mode": "REQUIRED", **schema.get("x-bigquery", {})}}
    rehearse(settings(types | required))


def test_a_claim_that_the_schema_rejects():
    rehearse(settings({"never": {"type": "string", "enum": ["nothing of a rehearsal"]}}))


def test_more_fields_than_a_message_of_protobuf_takes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.launch.rehearsal.MAX_MILLISECONDS", 1_000)  # a busy machine
    wide = {f"field_{i}": {"type": "string"} for i in range(4_500)}
    with pytest.raises(
        RehearsalFailed, match=r"^workers would fail with it \(TypeError: .*65535 bytes"
    ):
        rehearse(settings(wide))


def test_a_name_that_leaves_no_room_in_a_request(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.launch.rehearsal.SERVICE_MAX_REQUEST_BYTES", 5_000)
    with pytest.raises(RehearsalFailed, match="^a single row needs a request of [0-9,]+ bytes"):
        rehearse(settings())


def test_rules_that_do_not_compile():
    broken = Rules.default()
    broken.text = broken.text.replace('"exclusiveMinimum"', '"pattern": "[", "exclusiveMinimum"')
    with pytest.raises(RehearsalFailed, match=r"^workers would fail with it \("):
        rehearse(settings(rules=broken))


def burning(milliseconds: float) -> Callable[[Any], bool]:
    """A condition that takes so much of the processor."""

    def condition(claim: Any) -> bool:
        end = time.thread_time() + milliseconds / 1000
        while time.thread_time() < end:
            pass
        return False

    return condition


@pytest.mark.parametrize("milliseconds, is_warned, is_refused", [(0, 0, 0), (3, 1, 0), (12, 1, 1)])
def test_a_rule_that_takes_long(
    milliseconds: float, is_warned: int, is_refused: int, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setattr(
        "pipeline.launch.rehearsal.condition_of",
        lambda rule: burning(milliseconds if rule.id == "high_amount" else 0),
    )
    if is_refused:
        with pytest.raises(RehearsalFailed, match="^the rule high_amount takes .* ms"):
            rehearse(settings())
        return
    rehearse(settings())
    assert ("rules: the rule high_amount takes" in caplog.text) == bool(is_warned)


def test_a_rule_that_takes_long_with_fractions(monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setattr("pipeline.launch.rehearsal.MAX_MILLISECONDS", 1_000)  # a busy machine
    rule = {"id": "odd", "description": "", "weight": 0.1}
    rule["when"] = {"properties": {"claim_amount": {"enum": [*range(2_000)]}}}
    rehearse(settings(rules=Rules(json.dumps({"risk_rules": [rule], "quality_rules": []}))))
    assert "rules: the rule odd takes" in caplog.text


def test_rules_that_take_long_together(monkeypatch: pytest.MonkeyPatch):
    """Each of them less than what is warned of."""
    count = len(Rules.default().risk) + len(Rules.default().quality)
    monkeypatch.setattr("pipeline.launch.rehearsal.MAX_MILLISECONDS", 0.1 * count)
    monkeypatch.setattr("pipeline.launch.rehearsal.condition_of", lambda rule: burning(0.2))
    with pytest.raises(RehearsalFailed, match="^evaluating all rules takes .* ms"):
        rehearse(settings())


@pytest.mark.parametrize("name", PACKAGED_MAPS)
def test_packaged_map(name: str, caplog):
    rehearse(replace(settings(), claim_map=ClaimMap.packaged(name)))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "text", ["($f := function($x) { $f($x) }; $f(1))", "$match('aaaaaaaaaaaaaaaaaaaa!', /^(a+)+$/)"]
)
def test_a_map_that_takes_long(text: str):
    """Each message would keep a worker for a tenth of a second, and then fail."""
    with pytest.raises(RehearsalFailed, match="^takes .* ms of CPU per claim") as caught:
        rehearse(replace(settings(), claim_map=ClaimMap(text)))
    assert caught.value.parameter == "claim_map"


def test_an_object_whose_errors_take_long():
    """Its schema decides in microseconds; listing what is wrong takes one for each alternative."""
    codes = {"anyOf": [{"const": f"code {number}"} for number in range(3_000)]}
    objects = {"type": "array", "items": {"type": "object", "properties": {"codes": codes}}}
    rehearse(settings({"more": {"type": "object", "properties": {"code": {"enum": ["a"]}}}}))
    with pytest.raises(RehearsalFailed, match="^takes .* ms of CPU per claim") as caught:
        rehearse(settings({"more": {"type": "object", "properties": {"objects": objects}}}))
    assert caught.value.parameter == "claim_schema"


def test_a_schema_that_takes_long(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.launch.rehearsal.WARN_MILLISECONDS", 0.0)
    monkeypatch.setattr("pipeline.launch.rehearsal.MAX_MILLISECONDS", 0.0)
    message = r"^takes .* ms of CPU per claim; the limit is 0\.0 ms$"
    with pytest.raises(RehearsalFailed, match=message) as caught:
        rehearse(settings())
    assert caught.value.parameter == "claim_schema"

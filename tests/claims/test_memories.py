"""Large values that never recur: no memory of values keeps one, or a worker would fill."""

import json
import tracemalloc
from typing import Any

import pytest

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.documents import check_contract, check_rules
from pipeline.claims.judgement import Unchanging
from pipeline.claims.message import Message
from pipeline.claims.stages import Enrich, Parse, Validate, through
from pipeline.claims.tables import claims_table
from pipeline.sinks.bigquery.encode.row_encoder import RowEncoder
from tests.support.claims.core import CLEAN, CONTRACT, clock

SIZE, CLAIMS = 50_000, 40
OWN_FIELDS: dict[str, Any] = {
    "total": {"type": ["number", "null"], "x-bigquery": {"type": "BIGNUMERIC"}},
    "visits": {"type": ["array", "null"], "items": {"type": "string", "format": "date-time"}},
    "plan": {"type": ["object", "null"]},
    "lines": {"type": ["array", "null"], "items": {"type": "object"}},
}
UNLIMITED = {
    name: {keyword: told for keyword, told in schema.items() if keyword != "maxLength"}
    for name, schema in CONTRACT.properties.items()
}
OWN = check_contract(json.dumps({**CONTRACT.document, "properties": {**UNLIMITED, **OWN_FIELDS}}))
TEXTS = OWN.names("STRING")
ARRAYS = [
    column.name
    for column in OWN.columns
    if column.mode == "REPEATED" and column.type not in ("RECORD", "JSON")
]
LARGE = {
    **dict.fromkeys(TEXTS, '"%s"' % ("x" * SIZE + "{}")),
    **dict.fromkeys(ARRAYS, '["%s"]' % ("x" * SIZE + "{}")),
    "total": "0." + "1" * SIZE + "{}",
    "visits": '["2026-01-01T10:00:00.%sZ"]' % ("1" * SIZE + "{}"),
    "plan": '{{"name": "%s"}}' % ("x" * SIZE + "{}"),
    "service_lines": '[{{"procedure_code": "%s"}}]' % ("x" * SIZE + "{}"),
    "lines": '[{{"name": "%s"}}]' % ("x" * SIZE + "{}"),
    "unknown": '"%s"' % ("x" * SIZE + "{}"),
}
"""Field -> JSON text of a large value, with a place for a number."""


@pytest.mark.parametrize("field", LARGE)
def test_a_large_value_is_forgotten(field: str) -> None:
    rule = {"id": "odd", "description": "", "when": {"properties": {field: {"not": {"const": 1}}}}}
    rules = {"risk_rules": [], "quality_rules": [rule] if field in OWN.properties else []}
    basis = Unchanging(check_rules(json.dumps(rules), OWN))
    enrich = Enrich(ClaimRows(OWN, basis, 0.5, "test"), clock)
    stages, encoder = [Parse(OWN), Validate(OWN), enrich], RowEncoder(claims_table(OWN).columns)
    rest = json.dumps({name: value for name, value in CLEAN.items() if name != field})

    def lead(number: int) -> None:
        data = f'{{"{field}": {LARGE[field].format(number)}, {rest[1:]}'.encode()
        made = through(stages, [Message(data)])
        assert not made.rejected
        if field != "total":  # more digits than its column holds
            encoder.encode(made.outcomes)

    lead(CLAIMS)
    tracemalloc.start()
    try:
        for number in range(CLAIMS):
            lead(number)
        assert tracemalloc.get_traced_memory()[0] < CLAIMS * SIZE / 10
    finally:
        tracemalloc.stop()

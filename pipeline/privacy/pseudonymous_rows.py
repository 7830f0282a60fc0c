"""Which rules look into fields that hold pseudonyms."""

import json
from collections.abc import Iterable

from pipeline.claims.rules import Rule, Rules, fields_read, parts_of
from pipeline.claims.signals.table import SIGNALS


def rules_into(rules: Rules, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """The rules that look into these fields, and into which; to ask whether one is null is not."""
    found = {rule.id: _looks_into(rule) & set(names) for rule in (*rules.risk, *rules.quality)}
    return {rule: fields for rule, fields in found.items() if fields}


def _looks_into(rule: Rule) -> frozenset[str]:
    read = fields_read(rule.when) or frozenset()
    parts = parts_of(rule.when)
    if parts is not None:
        read = frozenset(
            name
            for name, schema in parts.items()
            if not (isinstance(schema, dict) and schema.keys() <= {"type"})
        )
    return frozenset[str]().union(*map(_fields_behind, read))


def _fields_behind(name: str) -> frozenset[str]:
    """The fields that a feature is derived from; a field itself."""
    if name not in SIGNALS:
        return frozenset([name])
    return frozenset[str]().union(*map(_fields_behind, SIGNALS[name].reads))


def without(rules: Rules, ids: Iterable[str]) -> Rules:
    left_out = set(ids)
    document = json.loads(rules.text)
    for section in ("risk_rules", "quality_rules"):
        document[section] = [rule for rule in document[section] if rule["id"] not in left_out]
    return Rules(json.dumps(document))

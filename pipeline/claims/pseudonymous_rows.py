"""Rows of the claims table with pseudonyms: scored first, on clear values, then replaced.

A replay comes with pseudonyms already. Rules that look into one would misfire on it, so that they
are not applied to it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.claims.claim_row import ClaimRows, Verdict
from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.named_fields import NamedFields
from pipeline.claims.rows import Rows
from pipeline.claims.score import Rule, Rules, fields_read, parts_of
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
    """The rules but for some."""
    left_out = set(ids)
    document = json.loads(rules.text)
    for section in ("risk_rules", "quality_rules"):
        document[section] = [rule for rule in document[section] if rule["id"] not in left_out]
    return Rules(json.dumps(document))


class PseudonymousRows(ClaimRows):
    """Turns valid claims into rows of the claims table with pseudonyms."""

    def __init__(
        self,
        contract: Contract,
        rules: Rules,
        high_risk_threshold: float,
        pipeline_version: str,
        named: NamedFields,
    ) -> None:
        super().__init__(contract, rules, high_risk_threshold, pipeline_version)
        unfit = rules_into(rules, named.names)
        self._looked_into = sorted(frozenset[str]().union(*unfit.values()))
        fit = without(rules, unfit)
        self._replays = ClaimRows(contract, fit, high_risk_threshold, pipeline_version)
        self._named = named

    def rows(
        self,
        messages: Sequence[Message],
        claims: Sequence[dict[str, Any]],
        processing_timestamp: str,
    ) -> Rows:
        """The row of each claim, which came in the message at the same place."""
        if not any(map(self._is_unfit, claims)):
            rows = super().rows(messages, claims, processing_timestamp)
            return Rows(self._named.replaced(rows.columns))
        every: dict[str, list[Any]] = defaultdict(list)
        for message, claim in zip(messages, claims, strict=True):
            make = self._replays.rows if self._is_unfit(claim) else super().rows
            made = make([message], [claim], processing_timestamp)
            for name, values in self._named.replaced(made.columns).items():
                every[name] += values
        return Rows(every)

    def take_verdicts(self) -> list[tuple[Verdict, int]]:
        """What the rules said, and of how many rows, since this was last asked."""
        return [*super().take_verdicts(), *self._replays.take_verdicts()]

    def _is_unfit(self, claim: Mapping[str, Any]) -> bool:
        """Whether a rule would look into a pseudonym."""
        return any(self._named.is_pseudonym(name, claim[name]) for name in self._looked_into)

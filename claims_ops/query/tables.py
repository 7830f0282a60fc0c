"""What fills the placeholders of a query: the tables of a pipeline, and its rules."""

import json
from collections.abc import Mapping

from claims_ops.shared import claim_times
from claims_ops.shared.dispositions import LABEL, dispositions_of, judged_claims
from claims_ops.shared.queries import Queries
from pipeline.claims.rules import Rules
from pipeline.claims.tables import TableName


def placeholders(
    queries: Queries, claims: TableName, errors: TableName | None, rules: Rules
) -> Mapping[str, str]:
    """The placeholders by name.

    Without the view of current claims, the table takes its place.

    Args:
        queries: where the tables are.
        claims: the claims table.
        errors: the error table; without one, it has no placeholder.
        rules: those that weights and descriptions are taken from.
    """
    view = claims._replace(table=f"{claims.table}_current")
    current = f"`{view if queries.has(view) else claims}`"
    columns = queries.columns(claims)
    judged = judged_claims(current, dispositions_of(queries, claims), LABEL in columns)
    filled = claim_times.placeholders(columns) | {
        "CLAIMS_TABLE": str(claims),
        "CURRENT_CLAIMS": current,
        "JUDGED_CLAIMS": judged,
        "RULES": rules_relation(rules),
    }
    return filled if errors is None else filled | {"ERROR_TABLE": str(errors)}


def rules_relation(rules: Rules) -> str:
    """Rules as a relation: kind (risk, quality), rule, weight (risk only), description, version."""
    some = [
        *(("risk", rule, f"NUMERIC '{rule.weight:f}'") for rule in rules.risk),
        *(("quality", rule, "CAST(NULL AS NUMERIC)") for rule in rules.quality),
    ]
    rows = [
        f"SELECT '{kind}' AS kind, '{rule.id}' AS rule, {weight} AS weight,"
        f" {_text(rule.description)} AS description, {_text(rules.version)} AS version"
        for kind, rule, weight in some
    ]
    return f"({' UNION ALL '.join(rows)})"


def _text(text: str) -> str:
    """A text as a literal of GoogleSQL, whose escapes are those of JSON."""
    return "'" + json.dumps(text)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"

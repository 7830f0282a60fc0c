"""Which claims turned out improper: what reviewers decided, and labels where they decided nothing.

A claim is improper if it should not have been paid as it was billed: fraud, waste, abuse or an
error. Precision, recall and recovered money are all computed from `judged_claims`.
"""

from collections.abc import Mapping
from typing import Final

from claims_ops.shared.queries import Queries
from pipeline.claims.tables import Table, TableName, column

OUTCOMES: Final[Mapping[str, bool | None]] = {
    "confirmed_fraud": True,
    "improper_payment": True,
    "proper": False,
    "undetermined": None,
    "under_review": None,
}
"""What a reviewer may decide, and whether the claim is improper; None decides nothing."""

LABEL: Final = "synthetic_label_is_fraud"

DISPOSITIONS_TABLE: Final = Table(
    (
        column("claim_id STRING REQUIRED", "Claim ID, as in the claims table."),
        column(
            "outcome STRING REQUIRED",
            "confirmed_fraud, improper_payment, proper, undetermined or under_review.",
        ),
        column("amount_recovered NUMERIC", "Money recovered or not paid out."),
        column("reviewer STRING", "Pseudonym or team of the reviewer."),
        column(
            "reviewed_at TIMESTAMP REQUIRED",
            "When the reviewer decided; the newest decision counts.",
        ),
        column("recorded_at TIMESTAMP", "When the row was written."),
        column("note STRING", "Free text; may contain health data."),
    ),
    "reviewed_at",
    ("claim_id",),
    "Reviewers' decisions about claims; append-only, the newest decision on a claim counts.",
)
"""The table of what reviewers decided about claims."""


def dispositions_name(claims: TableName) -> TableName:
    """The name of the table of dispositions that lies beside a claims table."""
    return claims._replace(table=f"{claims.table}_dispositions")


def judged_claims(claims: str, dispositions: TableName | None, has_labels: bool = True) -> str:
    """Claims with what is known of them, as a relation in brackets.

    It has the columns of the claims and `is_improper` (BOOL; NULL where nobody knows),
    `verdict_from` ('disposition', 'label' or NULL), `disposition_outcome` and `amount_recovered`
    (NUMERIC), both of the newest disposition of the claim.

    Args:
        claims: claims, each once: a quoted name, a call of a table function, or a subquery.
        dispositions: their table; None where there is none.
        has_labels: whether the claims have the column of labels.
    """
    outcomes = {
        verdict: ", ".join(f"'{name}'" for name, each in OUTCOMES.items() if each is verdict)
        for verdict in (True, False)
    }
    decided = (
        f"CASE WHEN decision.outcome IN ({outcomes[True]}) THEN TRUE"
        f" WHEN decision.outcome IN ({outcomes[False]}) THEN FALSE END"
    )
    label = f"claim.{LABEL}" if has_labels else "CAST(NULL AS INT64)"
    return f"""(
  SELECT
    claim.*,
    COALESCE({decided}, {label} = 1) AS is_improper,
    CASE
      WHEN {decided} IS NOT NULL THEN 'disposition'
      WHEN {label} IS NOT NULL THEN 'label'
    END AS verdict_from,
    decision.outcome AS disposition_outcome,
    decision.amount_recovered AS amount_recovered
  FROM {claims} AS claim
  LEFT JOIN ({_newest(dispositions)}) AS decision ON decision.claim_id = claim.claim_id
  WHERE claim.processing_timestamp >= '1970-01-01'
)"""  # noqa: S608 - checked names


def _newest(dispositions: TableName | None) -> str:
    if dispositions is None:
        return (
            "SELECT CAST(NULL AS STRING) AS claim_id, CAST(NULL AS STRING) AS outcome,"
            " CAST(NULL AS NUMERIC) AS amount_recovered"
        )
    return f"""
    SELECT claim_id, outcome, amount_recovered
    FROM `{dispositions}`
    WHERE reviewed_at >= '1970-01-01'
    QUALIFY ROW_NUMBER() OVER (
      PARTITION BY claim_id ORDER BY reviewed_at DESC, recorded_at DESC, outcome
    ) = 1
  """  # noqa: S608 - a checked name


def dispositions_of(queries: Queries, claims: TableName) -> TableName | None:
    """The dispositions beside a claims table; None where nobody has made that table."""
    name = dispositions_name(claims)
    return name if queries.has(name) else None

-- Why some providers' claims are risky: on how many of them each reason fired, most frequent first, and
-- its most frequent evidence.
-- Counts current claims only, without those that were replaced or voided.
WITH fired AS (
  SELECT
    provider_id,
    reason,
    high_risk_flag,
    (SELECT text FROM UNNEST(risk_evidence) AS text WITH OFFSET AS nth WHERE nth = place) AS evidence
  FROM ${CURRENT_CLAIMS}, UNNEST(risk_reasons) AS reason WITH OFFSET AS place
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
    AND provider_id IN UNNEST(@providers)
),
counted AS (
  SELECT
    provider_id,
    reason,
    evidence,
    COUNT(*) AS claims,
    COUNTIF(high_risk_flag) AS high_risk_claims
  FROM fired
  GROUP BY provider_id, reason, evidence
),
ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY provider_id, reason ORDER BY IF(evidence IS NULL, 1, 0), claims DESC, evidence
    ) AS rank_of_text
  FROM counted
),
reasons AS (
  SELECT
    provider_id,
    reason,
    SUM(claims) AS claims,
    SUM(high_risk_claims) AS high_risk_claims,
    MAX(IF(rank_of_text = 1, evidence, NULL)) AS evidence
  FROM ranked
  GROUP BY provider_id, reason
)
SELECT * FROM reasons
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY provider_id ORDER BY claims DESC, reason) <= 10
ORDER BY provider_id, claims DESC, reason

-- The current claims in one row: how many, from how many providers, and their amount.
-- Replaced and voided claims do not count.
SELECT
  COUNT(*) AS current_claims,
  COUNTIF(high_risk_flag) AS high_risk_claims,
  COUNT(DISTINCT provider_id) AS providers,
  SUM(claim_amount) AS total_amount,
  SUM(IF(high_risk_flag, claim_amount, 0)) AS high_risk_amount
FROM ${CURRENT_CLAIMS}
WHERE
  processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
  AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until

-- Claims as they stand in one row: how many, of how many providers, how much.
-- Replaced and voided claims do not count.
SELECT
  COUNT(*) AS standing_claims,
  COUNTIF(high_risk_flag) AS high_risk_standing,
  COUNT(DISTINCT provider_id) AS providers,
  SUM(claim_amount) AS total_amount,
  SUM(IF(high_risk_flag, claim_amount, 0)) AS high_risk_amount
FROM ${CURRENT_CLAIMS}
WHERE
  processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
  AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until

-- Claims by bins of amount and of fraud risk score.
-- Counts current claims only, without those that were replaced or voided.
-- A bin of amounts starts at amount_from; a bin of scores ends at score_to, and a score of 0 has its own.
WITH binned AS (
  SELECT
    CASE
      WHEN claim_amount < 50 THEN 0
      WHEN claim_amount < 100 THEN 50
      WHEN claim_amount < 250 THEN 100
      WHEN claim_amount < 500 THEN 250
      WHEN claim_amount < 1000 THEN 500
      WHEN claim_amount < 2500 THEN 1000
      WHEN claim_amount < 5000 THEN 2500
      WHEN claim_amount < 10000 THEN 5000
      WHEN claim_amount < 25000 THEN 10000
      WHEN claim_amount < 50000 THEN 25000
      WHEN claim_amount < 100000 THEN 50000
      ELSE 100000
    END AS amount_from,
    CAST(CEIL(ROUND(fraud_risk_score * 10, 6)) AS INT64) AS score_tenths,
    high_risk_flag
  FROM ${CURRENT_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
)
SELECT
  amount_from,
  score_tenths / 10 AS score_to,
  COUNT(*) AS claims,
  COUNTIF(high_risk_flag) AS high_risk_claims
FROM binned
GROUP BY amount_from, score_tenths
ORDER BY amount_from, score_to

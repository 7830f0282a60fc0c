-- What each threshold from 0 to 0.9 would flag: the claims with a score above it, their amount, how many
-- claims have a score equal to the threshold, and how many of those with a known outcome were improper. A
-- threshold with no differences flags exactly the claims that were flagged.
-- Counts current claims only, without those that were replaced or voided.
WITH scores AS (
  SELECT
    CAST(ROUND(fraud_risk_score * 1000000) AS INT64) AS millionths,
    COUNT(*) AS claims,
    COUNTIF(high_risk_flag) AS high_risk_claims,
    SUM(claim_amount) AS amount,
    COUNTIF(is_improper IS NOT NULL) AS judged,
    COUNTIF(is_improper) AS improper,
    SUM(IF(is_improper, claim_amount, 0)) AS improper_amount
  FROM ${JUDGED_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
  GROUP BY millionths
)
SELECT
  tenths / 10 AS threshold,
  SUM(IF(millionths > tenths * 100000, claims, 0)) AS claims,
  SUM(IF(millionths = tenths * 100000, claims, 0)) AS claims_at_threshold,
  SUM(IF(millionths > tenths * 100000, amount, 0)) AS amount,
  SUM(IF(millionths > tenths * 100000, judged, 0)) AS judged,
  SUM(IF(millionths > tenths * 100000, improper, 0)) AS improper,
  SUM(IF(millionths = tenths * 100000, improper, 0)) AS improper_at_threshold,
  SUM(improper) AS all_improper,
  SUM(IF(millionths > tenths * 100000, improper_amount, 0)) AS improper_amount,
  SUM(improper_amount) AS all_improper_amount,
  SUM(IF(millionths > tenths * 100000, claims - high_risk_claims, high_risk_claims)) AS differences
FROM scores CROSS JOIN UNNEST(GENERATE_ARRAY(0, 9)) AS tenths
GROUP BY tenths
ORDER BY tenths

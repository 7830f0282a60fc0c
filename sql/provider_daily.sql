-- Providers by day (UTC) over the last 30 days: claims, amounts, and how much of that is high risk.
-- Counts current claims only, without those that were replaced or voided.
SELECT
  DATE(processing_timestamp) AS day,
  provider_id,
  COUNT(*) AS claims,
  COUNT(DISTINCT patient_id) AS patients,
  SUM(claim_amount) AS total_amount,
  COUNTIF(high_risk_flag) AS high_risk_claims,
  SUM(IF(high_risk_flag, claim_amount, 0)) AS high_risk_amount,
  ROUND(AVG(fraud_risk_score), 3) AS mean_score,
  COUNTIF(ARRAY_LENGTH(quality_issues) > 0) AS claims_with_quality_issues
FROM ${CURRENT_CLAIMS}
WHERE DATE(processing_timestamp) >= DATE_SUB(CURRENT_DATE(), INTERVAL 30 DAY)
GROUP BY day, provider_id
ORDER BY day DESC, high_risk_claims DESC, total_amount DESC, provider_id

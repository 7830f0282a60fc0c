-- Providers to look at: those with the most claims of high risk, and what fired on these claims.
-- Of claims as they stand: replaced and voided ones do not count.
WITH ranked AS (
  SELECT
    provider_id,
    COUNT(*) AS claims,
    COUNT(DISTINCT patient_id) AS patients,
    SUM(claim_amount) AS total_amount,
    COUNTIF(high_risk_flag) AS high_risk_claims,
    SUM(IF(high_risk_flag, claim_amount, 0)) AS high_risk_amount,
    ROUND(AVG(fraud_risk_score), 3) AS mean_score
  FROM ${CURRENT_CLAIMS}
  WHERE processing_timestamp >= @since AND processing_timestamp < @until
  GROUP BY provider_id
  HAVING COUNTIF(high_risk_flag) > 0
  ORDER BY high_risk_claims DESC, high_risk_amount DESC, provider_id
  LIMIT 15
),
reasons AS (
  SELECT
    provider_id,
    STRING_AGG(DISTINCT reason, ', ' ORDER BY reason) AS risk_reasons
  FROM ${CURRENT_CLAIMS}, UNNEST(risk_reasons) AS reason
  WHERE processing_timestamp >= @since AND processing_timestamp < @until AND high_risk_flag
  GROUP BY provider_id
)
SELECT
  ranked.*,
  reasons.risk_reasons
FROM ranked LEFT JOIN reasons ON ranked.provider_id = reasons.provider_id
ORDER BY high_risk_claims DESC, high_risk_amount DESC, ranked.provider_id

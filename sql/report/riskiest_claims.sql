-- The riskiest claims, each with its reasons. Health data: a row is a patient's.
SELECT
  claim_id,
  patient_id,
  provider_id,
  claim_amount,
  fraud_risk_score,
  high_risk_flag,
  risk_reasons,
  quality_issues
FROM `${CLAIMS_TABLE}`
WHERE processing_timestamp >= @since AND processing_timestamp < @until
ORDER BY fraud_risk_score DESC, claim_amount DESC, claim_id
LIMIT 50

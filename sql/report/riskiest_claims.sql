-- The riskiest claims with their reasons. Health data: each row is about a patient.
-- Counts current claims only, without those that were replaced or voided.
SELECT
  claim_id,
  patient_id,
  provider_id,
  claim_amount,
  fraud_risk_score,
  high_risk_flag,
  risk_reasons,
  quality_issues
FROM ${CURRENT_CLAIMS}
WHERE
  processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
  AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
  AND (@provider = '' OR provider_id = @provider)
ORDER BY fraud_risk_score DESC, claim_amount DESC, claim_id
LIMIT 50

-- Claims scored today (UTC).
SELECT
  claim_id,
  patient_id,
  provider_id,
  claim_amount,
  fraud_risk_score,
  high_risk_flag,
  processing_timestamp
FROM `${CLAIMS_TABLE}`
WHERE DATE(processing_timestamp) = CURRENT_DATE()

-- High-risk claims and their reasons, riskiest first.
SELECT
  claim_id,
  patient_id,
  provider_id,
  claim_amount,
  fraud_risk_score,
  risk_reasons
FROM `${CLAIMS_TABLE}`
WHERE high_risk_flag = TRUE
ORDER BY fraud_risk_score DESC

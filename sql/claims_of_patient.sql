-- All current claims for a patient in date order, with reasons and reviewers' decisions.
-- @patient_id STRING: ID of the patient.
SELECT
  service_date,
  claim_id,
  provider_id,
  claim_amount,
  claim_status,
  ARRAY_TO_STRING(procedure_codes, ' ') AS procedure_codes,
  fraud_risk_score,
  high_risk_flag,
  ARRAY_TO_STRING(risk_reasons, ', ') AS risk_reasons,
  disposition_outcome,
  amount_recovered
FROM ${JUDGED_CLAIMS}
WHERE processing_timestamp >= '1970-01-01' AND patient_id = @patient_id
ORDER BY service_date, processing_timestamp, claim_id

-- Claims that bill the same service again under a different ID: same provider, patient, day and codes.
-- Reads current claims only, so that a replacement is not a duplicate of its original.
WITH billed AS (
  SELECT
    *,
    ARRAY_TO_STRING(ARRAY(SELECT code FROM UNNEST(procedure_codes) AS code ORDER BY code), ' ')
      AS sorted_codes
  FROM ${CURRENT_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
)
SELECT
  provider_id,
  patient_id,
  service_date,
  sorted_codes,
  COUNT(*) AS claims,
  COUNT(DISTINCT claim_amount) AS amounts,
  SUM(claim_amount) - MAX(claim_amount) AS amount_in_question,
  STRING_AGG(claim_id, ' ' ORDER BY claim_id) AS claim_ids
FROM billed
WHERE service_date IS NOT NULL AND sorted_codes != ''
GROUP BY provider_id, patient_id, service_date, sorted_codes
HAVING COUNT(*) > 1
ORDER BY amount_in_question DESC, provider_id, patient_id, service_date

-- Why a claim has its score: each reason with its weight and evidence, and the versions used.
-- The weight comes from --rules, and is empty if a different version of the rules scored the claim.
-- @claim_id STRING: ID of the claim.
SELECT
  claim.claim_id,
  claim.processing_timestamp,
  claim.claim_amount,
  claim.fraud_risk_score,
  claim.high_risk_flag,
  reason AS rule,
  IF(claim.rules_version = rules.version, rules.weight, NULL) AS weight,
  claim.risk_evidence[SAFE_ORDINAL(place + 1)] AS evidence,
  claim.rules_version,
  ARRAY_TO_STRING(claim.reference_versions, ' ') AS reference_versions,
  claim.pipeline_version
FROM `${CLAIMS_TABLE}` AS claim
LEFT JOIN UNNEST(claim.risk_reasons) AS reason WITH OFFSET AS place
LEFT JOIN ${RULES} AS rules ON rules.kind = 'risk' AND rules.rule = reason
WHERE claim.processing_timestamp >= '1970-01-01' AND claim.claim_id = @claim_id
ORDER BY claim.processing_timestamp DESC, place

-- Why a claim has its score: each reason with its weight, its evidence and the versions in use.
-- The weight is that of the rules that are given (--rules) if they are the version that scored it.
-- @claim_id STRING: The claim.
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

-- Why some providers' claims are risky: on how many of them each reason fired, the most frequent
-- first, and the evidence of it that came most often.
-- Of claims as they stand: replaced and voided ones do not count.
WITH fired AS (
  SELECT
    provider_id,
    reason,
    risk_evidence[SAFE_OFFSET(place)] AS evidence,
    COUNT(*) AS claims,
    COUNTIF(high_risk_flag) AS high_risk_claims
  FROM ${CURRENT_CLAIMS}, UNNEST(risk_reasons) AS reason WITH OFFSET AS place
  WHERE ${IN_RANGE} AND provider_id IN UNNEST(@providers)
  GROUP BY provider_id, reason, evidence
),
reasons AS (
  SELECT
    provider_id,
    reason,
    SUM(claims) AS claims,
    SUM(high_risk_claims) AS high_risk_claims,
    ARRAY_AGG(evidence IGNORE NULLS ORDER BY claims DESC, evidence LIMIT 1)[SAFE_OFFSET(0)]
      AS evidence
  FROM fired
  GROUP BY provider_id, reason
)
SELECT * FROM reasons
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY provider_id ORDER BY claims DESC, reason) <= 12
ORDER BY provider_id, claims DESC, reason

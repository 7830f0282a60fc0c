-- Claims by the region of the provider: how many, how much, and how many of high risk.
SELECT
  provider_region,
  COUNT(*) AS claims,
  SUM(claim_amount) AS total_amount,
  COUNTIF(high_risk_flag) AS high_risk_claims
FROM `${CLAIMS_TABLE}`
WHERE processing_timestamp >= @since AND processing_timestamp < @until
GROUP BY provider_region
ORDER BY high_risk_claims DESC, claims DESC, provider_region
LIMIT 20

-- Claims by the region of the provider: how many, how much, and how many of high risk.
-- Of claims as they stand: replaced and voided ones do not count.
SELECT
  provider_region,
  COUNT(*) AS claims,
  SUM(claim_amount) AS total_amount,
  COUNTIF(high_risk_flag) AS high_risk_claims
FROM ${CURRENT_CLAIMS}
WHERE processing_timestamp >= @since AND processing_timestamp < @until
GROUP BY provider_region
ORDER BY high_risk_claims DESC, claims DESC, provider_region
LIMIT 20

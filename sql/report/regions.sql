-- Claims by the provider's region, highest share of high-risk claims first; regions with fewer than 20
-- claims, whose share says little, come last.
-- Counts current claims only, without those that were replaced or voided.
WITH by_region AS (
  SELECT
    provider_region,
    COUNT(*) AS claims,
    SUM(claim_amount) AS total_amount,
    COUNTIF(high_risk_flag) AS high_risk_claims
  FROM ${CURRENT_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
  GROUP BY provider_region
)
SELECT *
FROM by_region
ORDER BY IF(claims < 20, 1, 0), high_risk_claims / claims DESC, claims DESC, provider_region
LIMIT 20

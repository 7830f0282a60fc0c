-- The claims of some providers over time, those with a risk reason, and the high-risk ones.
-- Counts current claims only, without those that were replaced or voided.
WITH seen AS (
  SELECT
    provider_id,
    TIMESTAMP_SECONDS(
      DIV(UNIX_SECONDS(TIMESTAMP_TRUNC(${AXIS}, SECOND)), @step_seconds) * @step_seconds
    ) AS step,
    ARRAY_LENGTH(risk_reasons) AS reasons,
    high_risk_flag
  FROM ${CURRENT_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
    AND ${AXIS} IS NOT NULL AND provider_id IN UNNEST(@providers)
)
SELECT
  provider_id,
  step,
  COUNT(*) AS claims,
  COUNTIF(reasons > 0) AS claims_with_reasons,
  COUNTIF(high_risk_flag) AS high_risk_claims
FROM seen
GROUP BY provider_id, step
ORDER BY provider_id, step

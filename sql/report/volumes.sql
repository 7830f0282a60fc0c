-- Claims, high-risk claims and rejected messages over time. Rejected messages have only a processing
-- time, so they are left out of any other time axis.
-- UNIX_SECONDS truncates on its own, but rounds on the emulator.
WITH outcomes AS (
  SELECT
    ${AXIS} AS seen,
    1 AS claim,
    IF(high_risk_flag, 1, 0) AS high_risk,
    0 AS rejected
  FROM `${CLAIMS_TABLE}`
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
  UNION ALL
  SELECT
    error_timestamp AS seen,
    0 AS claim,
    0 AS high_risk,
    1 AS rejected
  FROM `${ERROR_TABLE}`
  WHERE error_timestamp >= @since AND error_timestamp < @until AND ${HAS_ERRORS}
)
SELECT
  TIMESTAMP_SECONDS(
    DIV(UNIX_SECONDS(TIMESTAMP_TRUNC(seen, SECOND)), @step_seconds) * @step_seconds
  ) AS step,
  SUM(claim) AS claims,
  SUM(high_risk) AS high_risk_claims,
  SUM(rejected) AS rejected
FROM outcomes
WHERE seen IS NOT NULL
GROUP BY step
ORDER BY step

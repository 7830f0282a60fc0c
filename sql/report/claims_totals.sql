-- The claims of a time range in one row: how many, when, and by which versions.
-- A row is a repeat if another row has the same message ID and claim index, because the pipeline writes
-- at least once.
SELECT
  COUNT(*) AS claims,
  COUNTIF(message_id IS NOT NULL) - COUNT(
    DISTINCT CONCAT(message_id, ' ', COALESCE(CAST(claim_index AS STRING), ''))
  ) AS repeated_rows,
  COUNTIF(publish_time IS NOT NULL) AS streamed_claims,
  COUNTIF(ARRAY_LENGTH(quality_issues) > 0) AS claims_with_quality_issues,
  APPROX_QUANTILES(
    TIMESTAMP_DIFF(processing_timestamp, publish_time, MILLISECOND), 100
  )[SAFE_OFFSET(50)] AS latency_p50_ms,
  APPROX_QUANTILES(
    TIMESTAMP_DIFF(processing_timestamp, publish_time, MILLISECOND), 100
  )[SAFE_OFFSET(95)] AS latency_p95_ms,
  MIN(${CLAIM_TIME}) AS first_seen,
  MAX(${CLAIM_TIME}) AS last_seen,
  TIMESTAMP(MIN(service_date)) AS first_service,
  TIMESTAMP(MAX(service_date)) AS last_service,
  STRING_AGG(DISTINCT rules_version, ', ') AS rules_versions,
  STRING_AGG(DISTINCT contract_version, ', ') AS contract_versions,
  STRING_AGG(DISTINCT pipeline_version, ', ') AS pipeline_versions
FROM `${CLAIMS_TABLE}`
WHERE
  processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
  AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until

-- Latency from receipt to score over time, in milliseconds.
-- From when Pub/Sub received the message; and from when the claim system emitted the claim, if the claim
-- says so (ingest_ts) and that time is not later than the score.
-- UNIX_SECONDS truncates on its own, but rounds on the emulator.
WITH scored AS (
  SELECT
    TIMESTAMP_SECONDS(
      DIV(UNIX_SECONDS(TIMESTAMP_TRUNC(processing_timestamp, SECOND)), @step_seconds) * @step_seconds
    ) AS step,
    TIMESTAMP_DIFF(processing_timestamp, publish_time, MILLISECOND) AS latency_ms,
    IF(
      ingest_ts <= processing_timestamp,
      TIMESTAMP_DIFF(processing_timestamp, ingest_ts, MILLISECOND),
      NULL
    ) AS event_lag_ms
  FROM `${CLAIMS_TABLE}`
  WHERE processing_timestamp >= @since AND processing_timestamp < @until
)
SELECT
  step,
  COUNT(latency_ms) AS claims,
  APPROX_QUANTILES(latency_ms, 100)[SAFE_OFFSET(50)] AS latency_p50_ms,
  APPROX_QUANTILES(latency_ms, 100)[SAFE_OFFSET(95)] AS latency_p95_ms,
  MAX(latency_ms) AS latency_max_ms,
  APPROX_QUANTILES(event_lag_ms, 100)[SAFE_OFFSET(50)] AS event_lag_p50_ms,
  APPROX_QUANTILES(event_lag_ms, 100)[SAFE_OFFSET(95)] AS event_lag_p95_ms
FROM scored
GROUP BY step
ORDER BY step

-- Latency from receipt to score in the last 7 days, by hour (UTC), in milliseconds.
-- The median, the 95th percentile and the maximum of each hour, from when Pub/Sub received the
-- message; and the same from when the claim system emitted the claim, if the claim says so (ingest_ts).
WITH recent AS (
  SELECT
    TIMESTAMP_TRUNC(processing_timestamp, HOUR) AS hour,
    TIMESTAMP_DIFF(processing_timestamp, publish_time, MILLISECOND) AS latency_ms,
    TIMESTAMP_DIFF(processing_timestamp, ingest_ts, MILLISECOND) AS event_lag_ms
  FROM `${CLAIMS_TABLE}`
  WHERE DATE(processing_timestamp) >= DATE_SUB(CURRENT_DATE(), INTERVAL 7 DAY)
)
SELECT
  hour,
  COUNT(*) AS claims,
  APPROX_QUANTILES(latency_ms, 100)[OFFSET(50)] AS latency_p50_ms,
  APPROX_QUANTILES(latency_ms, 100)[OFFSET(95)] AS latency_p95_ms,
  MAX(latency_ms) AS latency_max_ms,
  APPROX_QUANTILES(event_lag_ms, 100)[OFFSET(50)] AS event_lag_p50_ms,
  APPROX_QUANTILES(event_lag_ms, 100)[OFFSET(95)] AS event_lag_p95_ms,
  MAX(event_lag_ms) AS event_lag_max_ms
FROM recent
GROUP BY hour
ORDER BY hour DESC

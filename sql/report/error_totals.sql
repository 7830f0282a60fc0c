-- The rejected messages of a time range in one row: how many, and when.
-- A row is a repeat if another row has the same message ID and claim index, because the pipeline writes
-- at least once.
SELECT
  COUNT(*) AS messages,
  COUNTIF(message_id IS NOT NULL) - COUNT(
    DISTINCT CONCAT(message_id, ' ', COALESCE(CAST(claim_index AS STRING), ''))
  ) AS repeated_rows,
  COUNTIF(replay_count > 0) AS failed_again,
  MIN(error_timestamp) AS first_seen,
  MAX(error_timestamp) AS last_seen
FROM `${ERROR_TABLE}`
WHERE error_timestamp >= @since AND error_timestamp < @until

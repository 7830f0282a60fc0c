-- Rejected messages by stage and code, the most frequent first.
SELECT
  stage,
  error_code,
  COUNT(*) AS messages,
  MIN(error_timestamp) AS first_seen,
  MAX(error_timestamp) AS last_seen
FROM `${ERROR_TABLE}`
WHERE error_timestamp >= @since AND error_timestamp < @until
GROUP BY stage, error_code
ORDER BY messages DESC, stage, error_code
LIMIT 20

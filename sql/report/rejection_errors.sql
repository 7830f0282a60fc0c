-- Rejected messages by the line that says why, the most frequent first.
SELECT
  error,
  stage,
  error_code,
  COUNT(*) AS messages
FROM `${ERROR_TABLE}`
WHERE error_timestamp >= @since AND error_timestamp < @until
GROUP BY error, stage, error_code
ORDER BY messages DESC, error, stage, error_code
LIMIT 20

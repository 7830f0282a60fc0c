-- Rejected messages by error text, most frequent first.
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

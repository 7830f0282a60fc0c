-- Rejected messages by stage and code, most frequent first, and how many of them arrived in the second
-- half of the range.
SELECT
  stage,
  error_code,
  COUNT(*) AS messages,
  COUNTIF(error_timestamp >= @middle) AS messages_of_second_half,
  MIN(error_timestamp) AS first_seen,
  MAX(error_timestamp) AS last_seen
FROM `${ERROR_TABLE}`
WHERE error_timestamp >= @since AND error_timestamp < @until
GROUP BY stage, error_code
ORDER BY messages DESC, stage, error_code
LIMIT 20

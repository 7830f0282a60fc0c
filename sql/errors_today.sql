-- Messages rejected today (UTC), by reason.
SELECT
  error,
  COUNT(*) AS messages
FROM `${ERROR_TABLE}`
WHERE DATE(error_timestamp) = CURRENT_DATE()
GROUP BY error
ORDER BY messages DESC

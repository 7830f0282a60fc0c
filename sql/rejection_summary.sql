-- Messages rejected in the last 30 days, by code and field.
-- A message that breaks several rules is counted under each; one without violations has no field.
SELECT
  stage,
  error_code,
  violation.field AS field,
  violation.rule AS rule,
  COUNT(*) AS messages,
  MIN(error_timestamp) AS first_seen,
  MAX(error_timestamp) AS last_seen
FROM `${ERROR_TABLE}` LEFT JOIN UNNEST(violations) AS violation
WHERE DATE(error_timestamp) >= DATE_SUB(CURRENT_DATE(), INTERVAL 30 DAY)
GROUP BY stage, error_code, field, rule
ORDER BY messages DESC, stage, error_code, field, rule

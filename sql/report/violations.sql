-- Violated rules of the claim schema by field, most frequent first.
-- A message that breaks several rules is counted under each.
SELECT
  violation.field AS field,
  violation.rule AS rule,
  COUNT(*) AS messages
FROM `${ERROR_TABLE}`, UNNEST(violations) AS violation
WHERE error_timestamp >= @since AND error_timestamp < @until
GROUP BY field, rule
ORDER BY messages DESC, field, rule
LIMIT 20

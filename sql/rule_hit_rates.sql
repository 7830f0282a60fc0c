-- How often each rule fired in the last 30 days, most frequent first.
-- A rule that never fired is not in the table, so it is not listed here.
WITH recent AS (
  SELECT
    risk_reasons,
    quality_issues
  FROM `${CLAIMS_TABLE}`
  WHERE DATE(processing_timestamp) >= DATE_SUB(CURRENT_DATE(), INTERVAL 30 DAY)
),
fired AS (
  SELECT 'risk' AS kind, rule FROM recent, UNNEST(risk_reasons) AS rule
  UNION ALL
  SELECT 'quality' AS kind, rule FROM recent, UNNEST(quality_issues) AS rule
)
SELECT
  kind,
  rule,
  COUNT(*) AS claims,
  ROUND(COUNT(*) / (SELECT COUNT(*) FROM recent), 4) AS hit_rate
FROM fired
GROUP BY kind, rule
ORDER BY claims DESC, kind, rule

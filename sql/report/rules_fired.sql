-- How often each risk and each quality rule fired, and how often on claims that were flagged.
-- Labelled claims have a known outcome; labelled_fraud are those of them that are fraud.
-- Of claims as they stand: replaced and voided ones do not count.
WITH scored AS (
  SELECT
    risk_reasons,
    quality_issues,
    IF(high_risk_flag, 1, 0) AS high_risk,
    IF(is_fraud IS NULL, 0, 1) AS labelled,
    IF(is_fraud, 1, 0) AS fraud
  FROM ${JUDGED_CLAIMS}
  WHERE ${IN_RANGE}
),
fired AS (
  SELECT 'risk' AS kind, rule, high_risk, labelled, fraud
  FROM scored, UNNEST(risk_reasons) AS rule
  UNION ALL
  SELECT 'quality' AS kind, rule, high_risk, labelled, fraud
  FROM scored, UNNEST(quality_issues) AS rule
)
SELECT
  kind,
  rule,
  COUNT(*) AS claims,
  SUM(high_risk) AS high_risk_claims,
  SUM(labelled) AS labelled_claims,
  SUM(fraud) AS labelled_fraud
FROM fired
GROUP BY kind, rule
ORDER BY claims DESC, kind, rule
LIMIT 50

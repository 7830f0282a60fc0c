-- How often each risk and each quality rule fired, and how often on claims that were flagged.
-- Labelled claims have a ground truth (synthetic_label_is_fraud); labelled_fraud are those of it
-- that are fraud.
WITH scored AS (
  SELECT
    risk_reasons,
    quality_issues,
    IF(high_risk_flag, 1, 0) AS high_risk,
    IF(synthetic_label_is_fraud IS NULL, 0, 1) AS labelled,
    IF(synthetic_label_is_fraud = 1, 1, 0) AS fraud
  FROM `${CLAIMS_TABLE}`
  WHERE processing_timestamp >= @since AND processing_timestamp < @until
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

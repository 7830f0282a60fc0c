-- Rules (from --rules) that did not fire on any claim.
-- A rule is silent if no claim matches it, or if the reference file that it needs is missing.
SELECT
  rules.kind,
  rules.rule,
  rules.weight,
  rules.description
FROM ${RULES} AS rules
LEFT JOIN (
  SELECT DISTINCT 'risk' AS kind, rule
  FROM `${CLAIMS_TABLE}`, UNNEST(risk_reasons) AS rule
  WHERE processing_timestamp >= '1970-01-01'
  UNION ALL
  SELECT DISTINCT 'quality' AS kind, rule
  FROM `${CLAIMS_TABLE}`, UNNEST(quality_issues) AS rule
  WHERE processing_timestamp >= '1970-01-01'
) AS fired ON fired.kind = rules.kind AND fired.rule = rules.rule
WHERE fired.rule IS NULL
ORDER BY rules.kind DESC, rules.rule

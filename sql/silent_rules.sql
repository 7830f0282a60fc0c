-- Rules that fired on no claim, of the rules that are given (--rules).
-- A rule is silent if nothing matches it, or if the file that it looks something up in is not there.
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

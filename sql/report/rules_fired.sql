-- How often each risk and each quality rule fired, and how often on claims that were flagged.
-- Judged are the claims of which a disposition or a label tells whether they were improper.
-- Of claims as they stand: replaced and voided ones do not count.
SELECT
  kind,
  rule,
  COUNT(*) AS claims,
  COUNTIF(high_risk_flag) AS high_risk_claims,
  COUNTIF(is_improper IS NOT NULL) AS judged_claims,
  COUNTIF(is_improper) AS improper_claims
FROM
  ${JUDGED_CLAIMS},
  UNNEST(['risk', 'quality']) AS kind,
  UNNEST(IF(kind = 'risk', risk_reasons, quality_issues)) AS rule
WHERE
  processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
  AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
GROUP BY kind, rule
ORDER BY claims DESC, kind, rule
LIMIT 50

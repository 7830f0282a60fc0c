-- How often each risk and each quality rule fired, and how often on claims that were flagged.
-- Judged are the claims of which a disposition or a label tells whether they were improper. Rules that
-- were right most often come first, of at least 10 judged claims; then the most frequent.
-- The first 50 of each kind, with the number of all. Of claims as they stand: replaced and voided ones
-- do not count.
WITH fired AS (
  SELECT
    kind,
    rule,
    COUNT(*) AS claims,
    COUNTIF(high_risk_flag) AS high_risk_claims,
    COUNTIF(is_improper IS NOT NULL) AS judged_claims,
    COUNTIF(is_improper) AS improper_claims,
    SUM(IF(is_improper, claim_amount, 0)) AS improper_amount
  FROM
    ${JUDGED_CLAIMS},
    UNNEST(['risk', 'quality']) AS kind,
    UNNEST(IF(kind = 'risk', risk_reasons, quality_issues)) AS rule
  WHERE
    processing_timestamp >= '1970-01-01'  -- for tables that require a partition filter
    AND ${CLAIM_TIME} >= @since AND ${CLAIM_TIME} < @until
  GROUP BY kind, rule
),
ranked AS (
  SELECT
    *,
    COUNT(*) OVER (PARTITION BY kind) AS rules,
    ROW_NUMBER() OVER (
      PARTITION BY kind
      ORDER BY
        IF(judged_claims < 10, 0, improper_claims / GREATEST(judged_claims, 1)) DESC,
        improper_amount DESC,
        claims DESC,
        rule
    ) AS place
  FROM fired
)
SELECT * EXCEPT (place)
FROM ranked
WHERE place <= 50
ORDER BY kind DESC, place

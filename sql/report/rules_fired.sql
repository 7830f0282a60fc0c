-- How often each risk rule and each quality rule fired, and how often on flagged claims.
-- Claims are judged if a disposition or a label says whether they were improper. Rules that were right
-- most often come first if they have at least 10 judged claims, then those with the most improper money.
-- Returns the first 50 of each kind, and how many there are.
-- Counts current claims only, without those that were replaced or voided.
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

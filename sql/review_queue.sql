-- Which claims to review first when time is limited: those with the highest expected recovery.
-- The expected recovery is the amount times the precision of the most precise reason that fired. The
-- precision of a reason is (improper + 1) / (known + 2) of the claims on which it fired, so a reason
-- with no known outcomes counts as 1 in 2. Claims that have been decided, or are under review, are
-- left out.
-- @capacity INT64 = 50: Number of claims you have time to review.
WITH judged AS (
  SELECT claim_id, provider_id, claim_amount, fraud_risk_score, risk_reasons, is_improper,
    disposition_outcome
  FROM ${JUDGED_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
),
precisions AS (
  SELECT
    reason,
    (COUNTIF(is_improper) + 1) / (COUNTIF(is_improper IS NOT NULL) + 2) AS precision
  FROM judged, UNNEST(risk_reasons) AS reason
  GROUP BY reason
),
likely AS (
  SELECT
    judged.claim_id,
    MAX(precisions.precision) AS precision,
    STRING_AGG(
      CONCAT(precisions.reason, ' ', CAST(ROUND(precisions.precision, 2) AS STRING)), ', '
      ORDER BY precisions.precision DESC, precisions.reason
    ) AS reasons
  FROM judged, UNNEST(judged.risk_reasons) AS fired
  INNER JOIN precisions ON precisions.reason = fired
  WHERE judged.disposition_outcome IS NULL
  GROUP BY judged.claim_id
)
SELECT
  judged.claim_id,
  judged.provider_id,
  judged.claim_amount,
  judged.fraud_risk_score,
  ROUND(likely.precision, 4) AS precision,
  ROUND(CAST(judged.claim_amount AS FLOAT64) * likely.precision, 2) AS expected_recovery,
  ROUND(
    SUM(CAST(judged.claim_amount AS FLOAT64) * likely.precision) OVER (
      ORDER BY CAST(judged.claim_amount AS FLOAT64) * likely.precision DESC, judged.claim_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ),
    2
  ) AS expected_so_far,
  likely.reasons
FROM judged
INNER JOIN likely ON likely.claim_id = judged.claim_id
ORDER BY CAST(judged.claim_amount AS FLOAT64) * likely.precision DESC, judged.claim_id
LIMIT @capacity

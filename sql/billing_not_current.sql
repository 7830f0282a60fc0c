-- Providers with a lot of billing that was later replaced, voided or resubmitted.
-- Billed counts each message once; current counts current claims only.
-- @min_claims INT64 = 10: Minimum number of claims billed per provider.
WITH billed AS (
  SELECT provider_id, claim_amount
  FROM `${CLAIMS_TABLE}`
  WHERE processing_timestamp >= '1970-01-01'
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY COALESCE(original_message_id, message_id, claim_id), claim_index
    ORDER BY processing_timestamp DESC
  ) = 1
),
totals AS (
  SELECT provider_id, COUNT(*) AS claims, SUM(claim_amount) AS amount
  FROM billed
  GROUP BY provider_id
  HAVING COUNT(*) >= @min_claims
),
kept AS (
  SELECT provider_id, COUNT(*) AS claims, SUM(claim_amount) AS amount
  FROM ${CURRENT_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
  GROUP BY provider_id
)
SELECT
  totals.provider_id,
  totals.claims AS billed_claims,
  IFNULL(kept.claims, 0) AS current_claims,
  totals.amount AS billed_amount,
  IFNULL(kept.amount, 0) AS current_amount,
  totals.amount - IFNULL(kept.amount, 0) AS amount_not_current,
  ROUND(1 - IFNULL(kept.claims, 0) / totals.claims, 4) AS share_not_current
FROM totals
LEFT JOIN kept ON kept.provider_id = totals.provider_id
WHERE IFNULL(kept.claims, 0) < totals.claims
ORDER BY share_not_current DESC, amount_not_current DESC, totals.provider_id

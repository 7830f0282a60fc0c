-- Providers that bill much that does not stand: claims replaced, voided or sent again.
-- Each message counts once as billed; final is what the claims as they stand bill.
-- @min_claims INT64 = 10: Claims that a provider must have billed.
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
standing AS (
  SELECT provider_id, COUNT(*) AS claims, SUM(claim_amount) AS amount
  FROM ${CURRENT_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
  GROUP BY provider_id
)
SELECT
  totals.provider_id,
  totals.claims AS billed_claims,
  IFNULL(standing.claims, 0) AS final_claims,
  totals.amount AS billed_amount,
  IFNULL(standing.amount, 0) AS final_amount,
  totals.amount - IFNULL(standing.amount, 0) AS amount_outside_final,
  ROUND(1 - IFNULL(standing.claims, 0) / totals.claims, 4) AS share_outside_final
FROM totals
LEFT JOIN standing ON standing.provider_id = totals.provider_id
WHERE IFNULL(standing.claims, 0) < totals.claims
ORDER BY share_outside_final DESC, amount_outside_final DESC, totals.provider_id

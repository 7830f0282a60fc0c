-- Procedure codes that a provider uses far more often than its peers (providers of the same specialty).
-- The share is the share of the provider's claims that have the code. The peers' share is the mean of
-- their shares, including those that never use the code but not the provider itself.
-- @min_claims INT64 = 20: Minimum number of claims per provider.
-- @min_peers INT64 = 5: Minimum number of peers per provider.
-- @times FLOAT64 = 3: Minimum ratio of the provider's share to its peers'.
WITH billed AS (
  SELECT
    provider_id,
    COALESCE(provider_specialty, '') AS specialty,
    claim_id,
    claim_amount,
    procedure_codes
  FROM ${CURRENT_CLAIMS}
  WHERE processing_timestamp >= '1970-01-01'
),
providers AS (
  SELECT provider_id, specialty, COUNT(*) AS claims
  FROM billed
  GROUP BY provider_id, specialty
  HAVING COUNT(*) >= @min_claims
),
specialties AS (
  SELECT specialty, COUNT(*) - 1 AS peers
  FROM providers
  GROUP BY specialty
),
used AS (
  SELECT provider_id, specialty, code, COUNT(*) AS claims, SUM(claim_amount) AS amount
  FROM (
    SELECT DISTINCT provider_id, specialty, claim_id, claim_amount, code
    FROM billed, UNNEST(procedure_codes) AS code
  )
  GROUP BY provider_id, specialty, code
),
shares AS (
  SELECT
    used.provider_id,
    used.specialty,
    used.code,
    used.claims,
    used.amount,
    used.claims / providers.claims AS share,
    SUM(used.claims / providers.claims) OVER (PARTITION BY used.specialty, used.code) AS all_shares
  FROM used
  INNER JOIN providers
    ON providers.provider_id = used.provider_id AND providers.specialty = used.specialty
)
SELECT
  shares.provider_id,
  shares.specialty AS provider_specialty,
  shares.code AS procedure_code,
  shares.claims,
  shares.amount,
  ROUND(shares.share, 4) AS share,
  ROUND((shares.all_shares - shares.share) / specialties.peers, 4) AS peers_share,
  specialties.peers
FROM shares
INNER JOIN specialties ON specialties.specialty = shares.specialty
WHERE
  specialties.peers >= @min_peers
  AND shares.share * specialties.peers >= @times * (shares.all_shares - shares.share)
ORDER BY
  shares.share - (shares.all_shares - shares.share) / specialties.peers DESC,
  shares.provider_id,
  procedure_code

-- Percentiles 0 to 100 of the claim amounts of the 180 days up to a day (${AS_OF}, a DATE): by claim
-- type, specialty and region where such a group has at least 5 providers; by type; and overall.
WITH recent_claims AS (
  SELECT
    COALESCE(claim_type, '') AS claim_type,
    COALESCE(provider_specialty, '') AS provider_specialty,
    COALESCE(provider_region, '') AS provider_region,
    provider_id,
    CAST(claim_amount AS FLOAT64) AS amount
  FROM ${CURRENT_CLAIMS}
  WHERE
    processing_timestamp >= '1970-01-01'  -- all; for tables that require a partition filter
    AND service_date <= ${AS_OF}
    AND service_date > DATE_SUB(${AS_OF}, INTERVAL 180 DAY)
),
grouped AS (
  SELECT
    claim_type,
    provider_specialty,
    provider_region,
    COUNT(DISTINCT provider_id) AS providers,
    APPROX_QUANTILES(amount, 100) AS amounts
  FROM recent_claims
  WHERE provider_specialty != '' OR provider_region != ''
  GROUP BY claim_type, provider_specialty, provider_region
  UNION ALL
  SELECT claim_type, '', '', 5, APPROX_QUANTILES(amount, 100)
  FROM recent_claims
  WHERE claim_type != ''
  GROUP BY claim_type
  UNION ALL
  SELECT '', '', '', 5, APPROX_QUANTILES(amount, 100)
  FROM recent_claims
)
SELECT
  claim_type,
  provider_specialty,
  provider_region,
  ARRAY_TO_STRING(
    ARRAY(SELECT CAST(amount AS STRING) FROM UNNEST(amounts) AS amount ORDER BY amount), ' '
  ) AS percentiles
FROM grouped
WHERE providers >= 5 AND ARRAY_LENGTH(amounts) > 1
ORDER BY claim_type, provider_specialty, provider_region
